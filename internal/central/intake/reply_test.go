package intake

import (
	"strings"
	"testing"
	"unicode/utf8"

	"haochaping/internal/rating"
)

// TestReplies holds: 评价人可通过电话按键或回复短信进行评价 (article 13).
func TestReplies(t *testing.T) {
	ask := Reply{Ask: true}
	for message, want := range map[string]Reply{
		"5": {Level: 5}, "５。": {Level: 5}, " 5 ": {Level: 5}, "5分": {Level: 5}, "5!": {Level: 5}, "非常满意": {Level: 5}, "非常满意。": {Level: 5},
		"5 非常满意": {Level: 5},
		"5非常满意":  {Level: 5}, "非常满意5": {Level: 5}, "满意": {Level: 4}, "基本满意": {Level: 3}, "不满意": {Level: 2}, "非常不满意": {Level: 1}, "1": {Level: 1},
		"不满意 排队太久":         {Level: 2, Text: "排队太久"},
		"2，窗口只开了3个":        {Level: 2, Text: "窗口只开了3个"},
		"非常不满意，等了 5 小时没人理": ask, // 5 by itself may be a level
		"不满意，不满意":          {Level: 2},
		"TD":               {Stop: true}, "td": {Stop: true}, "ＴＤ": {Stop: true}, "退订。": {Stop: true}, "T": {Stop: true},
		"退订TD": {Stop: true}, "td 退订": {Stop: true}, "T D": ask, "取消，TD！": {Stop: true}, "stop": {Stop: true},
		"D": ask, "TD5": ask, "5 TD": {Level: 5, Stop: true}, "不满意，退订": {Level: 2, Stop: true}, "5 TD卡": {Level: 5, Text: "TD卡"},
		"退订怎么办": ask, "不要取消": ask,
		"": ask, "。": ask, "6": ask, "0": ask, "12": ask, "5点去过": ask, "45": ask, "好": ask, "满意吗": ask, "满意度很高": ask, "很满意": ask, "不是很满意": ask,
		"你好 5":  ask,
		"5 不满意": ask, "满意 不满意": ask, "4或5": ask, "4 5": ask, "不满意变满意": ask, "一": ask, "TDD": ask, "满意不": ask,
		"非常满意 2": ask, "5" + strings.Repeat("啊", 200): ask, "5 " + strings.Repeat("啊", 200): ask,
		"3 天了还没办好": ask, "2 小时才办完": ask, "5 分钟前刚办": ask, "4:30去的": ask, "４：３０": ask, "2-3天": ask, "1、2号窗口": ask, "3.14": ask, "5,000元": ask,
		"1~2次": ask, "1 个人都没有": ask, "5 分": {Level: 5, Text: "分"}, "1 态度差": {Level: 1, Text: "态度差"}, "5。3号窗口很好": {Level: 5, Text: "3号窗口很好"},
		"1 13800000000请回电": {Level: 1, Text: "13800000000请回电"}, "2 排队2小时": {Level: 2, Text: "排队2小时"}, "5，天天都好": {Level: 5, Text: "天天都好"},
	} {
		if got := ParseReply(message); got != want {
			t.Errorf("%q: got %+v, want %+v", message, got, want)
		}
	}
}

// FuzzParseReply holds that a reply is one thing only, and that a level was named by the citizen.
func FuzzParseReply(f *testing.F) {
	for _, s := range []string{"5", "５。", "不满意 排队太久", "TD", "非常不满意", "4或5", "\xff5", "5\u200b", "满意\n1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := ParseReply(s)
		things := 0
		for _, is := range []bool{r.Level != 0, r.Stop && r.Level == 0, r.Ask} {
			if is {
				things++
			}
		}
		if things != 1 || r.Text != "" && (r.Level == 0 || r.Stop) ||
			!utf8.ValidString(r.Text) || utf8.RuneCountInString(r.Text) > rating.MaxText {
			t.Fatalf("%q: %+v", s, r)
		}
		if r.Level == 0 {
			return
		}
		named := strings.ContainsAny(narrow(s), string('0'+rune(r.Level))) || strings.Contains(narrow(s), r.Level.Chinese())
		if !r.Level.Valid() || !named {
			t.Fatalf("%q names no level and is read as %+v", s, r)
		}
		if r.Stop {
			return
		}
		if again := ParseReply(strings.TrimSpace(r.Level.Chinese() + " " + r.Text)); again != r {
			t.Fatalf("%q is %+v, and what it says is %+v", s, r, again)
		}
	})
}
