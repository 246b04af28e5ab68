package directory

import (
	"fmt"
	"strings"
	"testing"
)

// Each case is what a file says of the small organisation, and what each of its lines comes to: the steps, or a part of the reason.
func TestPreview(t *testing.T) {
	const unit, other, third = "91350100M000100Y43", "91330100799655058B", "9144030071526726XG"
	for name, c := range map[string]struct{ file, want string }{
		"the same":                 {"大厅,H1,市民中心,2020-01-01,,620100,91350100m000100y43,,", "same"},
		"a new name from a day on": {"大厅,H1,政务大厅,2026-01-01,,620100," + unit + ",,", "ended+new"},
		"a correction":             {"大厅,H1,政务大厅,2020-01-01,,620100," + unit + ",,", "changed"},
		"the end of a person":      {"人员,0001,赵示例,2020-01-01,2026-01-01,," + unit + ",,H1-01", "changed"},
		"a person who comes back": {"人员,0001,赵示例,2020-01-01,2024-01-01,," + unit + ",,H1-01\n人员,0001,赵示例,2025-01-01,,," + unit + ",,",
			"changed|new"},
		"a hall and its windows at once": {"窗口,H2-01,1号窗口,2026-01-01,,,,H2,\n大厅,H2,新大厅,2026-01-01,,620100," + unit + ",,", "new|new"},
		"an end with someone inside": {"窗口,H1-01,1号窗口,2020-01-01,2026-01-01,,,H1,",
			"人员 0001 的时段 2020-01-01/ 超出所用窗口 H1-01 的时段 2020-01-01/2026-01-01"},
		"an overlap":                    {"人员,0001,赵示例,2019-01-01,2021-01-01,," + unit + ",,", "重叠"},
		"a gap":                         {"窗口,H1-02,二,2020-01-01,2021-01-01,,,H1,\n窗口,H1-02,二,2022-01-01,,,,H1,", "new|空档"},
		"a line twice":                  {"窗口,H1-02,二,2020-01-01,,,,H1,\n窗口,H1-02,三,2020-01-01,,,,H1,", "new|与第 2 行重复"},
		"before its hall":               {"窗口,H1-02,二,2019-01-01,,,,H1,", "超出所用大厅 H1 的时段"},
		"a hall that is not there":      {"窗口,H1-02,二,2020-01-01,,,,H9,", "大厅 H9 不存在"},
		"an area without the one above": {"区划,620102001000,街道,2020-01-01,,,,,", "区划 620102000000 不存在"},
		"a cycle": {"单位," + other + ",乙,2020-01-01,,620100," + third + ",,\n单位," + third + ",丙,2020-01-01,,620100," + other + ",,",
			"成了自己的上级|成了自己的上级"},
		"itself": {"单位," + other + ",乙,2020-01-01,,620100," + other + ",,", "成了自己的上级"},
		"a cycle by turns, on no day": {"单位," + other + ",乙,2020-01-01,2021-01-01,620100," + third + ",,\n单位," + other +
			",乙,2021-01-01,,620100,,,\n" +
			"单位," + third + ",丙,2020-01-01,2021-01-01,620100,,,\n单位," + third + ",丙,2021-01-01,,620100," + other + ",,", "new|new|new|new"},
		"a cycle on one day of many": {"单位," + other + ",乙,2020-01-01,2021-01-02,620100," + third + ",,\n单位," + other +
			",乙,2021-01-02,,620100,,,\n" +
			"单位," + third + ",丙,2020-01-01,2021-01-01,620100,,,\n单位," + third + ",丙,2021-01-01,,620100," + other + ",,",
			"2021-01-01 起|new|new|2021-01-01 起"},
		"a wrong code":            {"单位,91350100M000100Y44,乙,2020-01-01,,620100,,,", "校验位"},
		"fields of others":        {"区划,620102,区,2020-01-01,,620100,,,", "没有“区划代码”一栏"},
		"nothing":                 {"大厅,,,,,,,,", "缺少生效日期"},
		"an end before the start": {"窗口,H1-02,二,2020-01-01,2020-01-01,,,H1,", "不晚于"},
		"a formula":               {"窗口,H1-02,=1+1,2020-01-01,,,,H1,", "公式"},
		"a control character":     {"窗口,H1-02,a\tb,2020-01-01,,,,H1,", "控制字符"},
		"a path as ID":            {"窗口,../x,二,2020-01-01,,,,H1,", "编号"},
		"an unknown kind":         {"柜台,H1-02,二,2020-01-01,,,,H1,", "类别"},
		"too many cells":          {"窗口,H1-02,二,2020-01-01,,,,H1,,,,x", "第 12 列没有列名"},
		"quotes":                  {"窗口,H1-02,\"二\"x,2020-01-01,,,,H1,\n窗口,H1-03,三,2020-01-01,,,,H1,", "引号有误|new"},
	} {
		p := preview(newTree(records(t, small)), 7, read(t, []byte(head+c.file+"\n")), nil)
		want := strings.Split(c.want, "|")
		if len(p.Lines) != len(want) {
			t.Errorf("%s: %d lines, want %d", name, len(p.Lines), len(want))
			continue
		}
		for i, l := range p.Lines {
			var steps []string
			for _, ch := range p.Changes {
				if ch.Line == i {
					steps = append(steps, string(ch.Step))
				}
			}
			got := strings.Join(steps, "+")
			if len(steps) == 0 {
				got = "same"
			}
			if len(l.Refused) > 0 {
				got = fmt.Sprint(l.Refused)
			}
			if got != want[i] && (len(l.Refused) == 0 || !strings.Contains(got, want[i])) || strings.Contains(got, "%!") {
				t.Errorf("%s: line %d comes to %s, want %s", name, i+1, got, want[i])
			}
		}
	}
}

// A removal says which record by its first day.
func TestRemove(t *testing.T) {
	all := records(t, small)
	p := preview(newTree(all), 0, read(t, []byte("操作,"+head+"删除,人员,0001,赵示例,2020-01-01,,,91350100M000100Y43,,\n"+
		"delete,窗口,H1-01,1号窗口,2020-01-01,,,,H1,\n删除,大厅,H7,七,2020-01-01,,620100,91350100M000100Y43,,\n")), nil)
	if len(p.Changes) != 2 || p.Changes[0].Step != Removes || p.Refused() != 1 || !strings.Contains(p.Lines[2].Refused[0].Chinese, "没有这条记录") {
		t.Errorf("the removals come to %+v", p)
	}
	p = preview(newTree(all), 0, read(t, []byte("操作,"+head+"删除,窗口,H1-01,1号窗口,2020-01-01,,,,H1,\n")), nil)
	if p.Refused() != 1 || !strings.Contains(p.Lines[0].Refused[0].Chinese, "窗口 H1-01 不存在") {
		t.Errorf("a window at which somebody serves is removed: %+v", p)
	}
}

// The hash tells versions and changes apart.
func TestHash(t *testing.T) {
	seen := make(map[string]bool)
	for _, v := range []int64{1, 2} {
		for _, name := range []string{"二", "三"} {
			p := preview(newTree(records(t, small)), v, read(t, []byte(head+"窗口,H1-02,"+name+",2020-01-01,,,,H1,\n")), nil)
			if seen[p.Hash] || p.Hash == "" {
				t.Errorf("the hash %q stands for two previews", p.Hash)
			}
			seen[p.Hash] = true
		}
	}
}

// Who may change one hall learns nothing of another by what is refused: whether it is there or not, the answer is the same.
func TestBeyond(t *testing.T) {
	all := records(t, small+"大厅,H2,二,2020-01-01,,620100,"+unit1+",,\n窗口,H2-01,一,2020-01-01,,,,H2,\n")
	may := func(a *Atlas, r Record) bool {
		return r.Kind == Window && r.Hall == "H1" || r.Kind == Hall && r.ID == "H1"
	}
	const beyond = "所指的对象不存在，或不在您的角色范围内"
	for line, want := range map[string]string{
		",窗口,H1-02,二,2020-01-01,,,,H1,": "", ",窗口,H1-01,一,2020-01-01,,,,H1,": "", ",大厅,H1,新,2026-01-01,,620100," + unit1 + ",,": "",
		",窗口,H2-01,一,2020-01-01,,,,H2,": beyond, ",窗口,H2-01,改,2020-01-01,,,,H2,": beyond, ",窗口,H2-02,二,2020-01-01,,,,H2,": beyond,
		",窗口,H9-01,一,2020-01-01,,,,H9,": beyond, ",窗口,H2-01,一,2021-01-01,,,,H1,": beyond, ",窗口,H1-01,一,2020-01-01,,,,H2,": beyond,
		"删除,窗口,H2-01,一,2020-01-01,,,,H2,": beyond, "删除,窗口,H9-01,一,2020-01-01,,,,H1,": beyond, "删除,窗口,H2-01,一,2020-01-01,,,,H1,": beyond,
		",大厅,H2,二,2020-01-01,,620100," + unit1 + ",,": beyond, ",人员,0009,某,2020-01-01,,," + unit1 + ",,": beyond,
	} {
		p := preview(newTree(all), 1, read(t, []byte("操作,"+head+line+"\n")), may)
		got := ""
		if len(p.Lines[0].Refused) > 0 {
			got = p.Lines[0].Refused[0].Chinese
		}
		if got != want || len(p.Lines[0].Refused) > 1 {
			t.Errorf("%s: %v, want %q", line, p.Lines[0].Refused, want)
		}
	}
}
