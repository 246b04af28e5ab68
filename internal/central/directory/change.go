package directory

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// Line is one line of what somebody wants to change: a record to put, or to remove.
type Line struct {
	Sheet   string  `json:"sheet,omitempty"` // of a workbook
	Number  int     `json:"line"`            // from 1, the head's
	Remove  bool    `json:"remove,omitempty"`
	Record  Record  `json:"record"`
	Refused []Fault `json:"refused,omitempty"`
}

// Step is what a line comes to.
type Step string

// The steps.
const (
	Adds    Step = "new"
	Changes Step = "changed"
	Ends    Step = "ended" // the period before a new one, which ends where that begins
	Removes Step = "removed"
	Keeps   Step = "same"
	Refuses Step = "refused"
)

// Steps returns all steps.
func Steps() []Step { return []Step{Adds, Changes, Ends, Removes, Keeps, Refuses} }

// Chinese returns the step's name.
func (s Step) Chinese() string {
	switch s {
	case Adds:
		return "新增"
	case Changes:
		return "修改"
	case Ends:
		return "终止"
	case Removes:
		return "删除"
	case Keeps:
		return "不变"
	}
	return "不予接受"
}

// Change is what becomes of one record.
type Change struct {
	Line   int     `json:"line"` // index of the line in Preview.Lines
	Step   Step    `json:"step"`
	Before *Record `json:"before,omitempty"` // nil: there was none
	After  *Record `json:"after,omitempty"`  // nil: there is none any more
}

// Preview is what lines would change, and what is refused. It is confirmed as a whole or not at all.
type Preview struct {
	Version int64    `json:"version"` // of the organisation that it was made for
	Lines   []Line   `json:"lines"`
	Changes []Change `json:"changes"` // in the order of lines; none for those that change nothing
	Hash    string   `json:"hash"`    // of the version and the changes
}

// Refused returns how many lines are refused.
func (p Preview) Refused() int {
	n := 0
	for _, l := range p.Lines {
		if len(l.Refused) > 0 {
			n++
		}
	}
	return n
}

// May reports whether somebody may change a record, as it stands in an organisation. What another record is, it must not tell.
type May func(*Atlas, Record) bool

// preview works out what lines change in an organisation, which it changes. It is a pure function of both. Without may, everything may be
// changed.
func preview(t tree, version int64, lines []Line, may May) Preview {
	p := planner{tree: t, Preview: Preview{Version: version, Lines: lines}, lines: make(map[key]int), may: may, beyond: make(map[int]bool)}
	for i := range lines {
		p.read(i)
	}
	order := p.order()
	p.named()
	for _, i := range order {
		p.take(i)
	}
	slices.SortStableFunc(p.Changes, func(a, b Change) int { return cmp.Compare(a.Line, b.Line) })
	p.check()
	if may != nil {
		p.limit(order)
	}
	p.Hash = hashOf(version, p.Changes)
	return p.Preview
}

// planner applies lines to a tree.
type planner struct {
	tree
	Preview
	lines  map[key]int // the line of each record
	may    May
	beyond map[int]bool    // lines about what somebody may not change
	linked map[string]bool // units named before the changes by what somebody may change
}

// read checks a line by itself, and that no other says the same.
func (p *planner) read(i int) {
	l := &p.Lines[i]
	if len(l.Refused) > 0 {
		return
	}
	if l.Refused = l.Record.clean(); len(l.Refused) > 0 {
		return
	}
	if first, ok := p.lines[l.Record.key()]; ok {
		l.Refused = []Fault{faultf("与%[1]s重复（类别、编号、生效日期相同）", "it repeats %[2]s: the same kind, ID and first day", p.Lines[first].Chinese(),
			p.Lines[first].English())}
		return
	}
	p.lines[l.Record.key()] = i
}

// order returns the lines that are not refused in the order in which they are applied, so that it does not matter how the file has them:
// what is removed first, then by days, since a period ends the one before it.
func (p *planner) order() []int {
	var all []int
	for i, l := range p.Lines {
		if len(l.Refused) == 0 {
			all = append(all, i)
		}
	}
	slices.SortStableFunc(all, func(a, b int) int {
		x, y := p.Lines[a], p.Lines[b]
		if x.Remove != y.Remove {
			if x.Remove {
				return -1
			}
			return 1
		}
		return cmp.Compare(x.Record.From, y.Record.From)
	})
	return all
}

// Chinese returns where the line stands.
func (l Line) Chinese() string {
	if l.Sheet != "" {
		return fmt.Sprintf("“%s”第 %d 行", l.Sheet, l.Number)
	}
	return fmt.Sprintf("第 %d 行", l.Number)
}

// English returns where the line stands.
func (l Line) English() string {
	if l.Sheet != "" {
		return fmt.Sprintf("line %d of %q", l.Number, l.Sheet)
	}
	return fmt.Sprintf("line %d", l.Number)
}

// take applies a line to the tree.
func (p *planner) take(i int) {
	r := p.Lines[i].Record
	before, known := p.get(r.key())
	for _, x := range p.tree[r.Kind][r.ID] {
		// What somebody may not see must not show by what it refuses.
		if _, meets := x.Meet(r.Period); p.may != nil && (meets || x.From == r.From) && !p.may(&Atlas{tree: p.tree}, x) {
			p.beyond[i] = true
			return
		}
	}
	switch {
	case p.Lines[i].Remove && !known:
		p.beyond[i] = true
		p.Lines[i].Refused = []Fault{faultf("没有这条记录可删", "there is no such record to remove")}
	case p.Lines[i].Remove:
		p.remove(r.key())
		p.Changes = append(p.Changes, Change{i, Removes, &before, nil})
	case known && before == r:
	case known:
		p.put(r)
		p.Changes = append(p.Changes, Change{i, Changes, &before, &r})
	default:
		p.end(i, r)
		p.put(r)
		p.Changes = append(p.Changes, Change{i, Adds, nil, &r})
	}
}

// Beyond says that something does not exist, or is not within somebody's role: which of the two is not theirs to know.
func Beyond() Fault {
	return faultf("所指的对象不存在，或不在您的角色范围内", "what this names does not exist, or is not within your role")
}

// limit refuses the lines about what somebody may not change, for no other reason: whether it exists is not theirs to know.
func (p *planner) limit(taken []int) {
	for _, i := range taken {
		l := &p.Lines[i]
		if p.beyond[i] || !l.Remove && !p.may(&Atlas{tree: p.tree}, l.Record) {
			l.Refused = []Fault{Beyond()}
		} else if !l.Remove && !p.names(l.Record) {
			l.Refused = []Fault{faultf("单位 %s 不存在，或不在您的角色范围内；需要时请上级管理机构先关联一次",
				"unit %s does not exist, or is not within your role; the office above you can name it first", l.Record.Unit)}
		}
	}
}

// named notes which of the units that lines name were named before by what somebody may change: these they may go on naming.
func (p *planner) named() {
	if p.may == nil {
		return
	}
	wanted := make(map[string]bool)
	for _, l := range p.Lines {
		wanted[l.Record.Unit] = l.Record.Unit != ""
	}
	p.linked = make(map[string]bool)
	for _, things := range p.tree {
		for _, records := range things {
			for _, r := range records {
				if wanted[r.Unit] && !p.linked[r.Unit] && p.may(&Atlas{tree: p.tree}, r) {
					p.linked[r.Unit] = true
				}
			}
		}
	}
}

// names reports whether somebody may let a record name its unit: one that is theirs to change, that of the record's hall, or one that was
// named before.
func (p *planner) names(r Record) bool {
	if r.Unit == "" || p.linked[r.Unit] {
		return true
	}
	hall := r.Hall
	if w, ok := p.at(Window, r.Window, r.From); ok {
		hall = w.Hall
	}
	if h, ok := p.at(Hall, hall, r.From); ok && r.Kind != Hall && h.Unit == r.Unit {
		return true
	}
	return slices.ContainsFunc(p.tree[Unit][r.Unit], func(u Record) bool {
		_, meets := u.Meet(r.Period)
		return meets && p.may(&Atlas{tree: p.tree}, u)
	})
}

// end ends what goes on without an end on the day on which r begins, unless a line says something about it.
func (p *planner) end(i int, r Record) {
	before, ok := on(p.tree[r.Kind][r.ID], r.From)
	if _, said := p.lines[before.key()]; !ok || said || before.To != Forever {
		return
	}
	after := before
	after.To = r.From
	p.put(after)
	p.Changes = append(p.Changes, Change{i, Ends, &before, &after})
}

// check refuses the lines that leave something wrong.
func (p *planner) check() {
	touched := make(map[ref][]int)
	for _, c := range p.Changes {
		r := p.Lines[c.Line].Record
		touched[ref{r.Kind, r.ID}] = append(touched[ref{r.Kind, r.ID}], c.Line)
	}
	for _, w := range p.tree.check() {
		at, ok := p.lines[w.at]
		if !ok || len(p.Lines[at].Refused) > 0 {
			at = p.blame(w, touched)
		}
		if at < 0 {
			continue // it was wrong before
		}
		// What many others have in common is said once in full.
		const most = 5
		if l := &p.Lines[at]; len(l.Refused) < most && !slices.Contains(l.Refused, w.Fault) {
			l.Refused = append(l.Refused, w.Fault)
		}
	}
}

// blame returns the line by which something that stands in no line has become wrong, -1 if it is none.
func (p *planner) blame(w wrong, touched map[ref][]int) int {
	for _, x := range append([]ref{{w.at.kind, w.at.id}}, w.other...) {
		if lines := touched[x]; len(lines) > 0 {
			return lines[0]
		}
	}
	return -1
}

// hashOf returns the hash by which a preview is confirmed.
func hashOf(version int64, all []Change) string {
	h := sha256.New()
	e := json.NewEncoder(h)
	_ = e.Encode(version)
	for _, c := range all {
		_ = e.Encode(c) // records have nothing that JSON lacks, and a hash takes everything
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
