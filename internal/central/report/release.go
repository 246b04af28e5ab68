package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"haochaping/internal/central/directory"
)

// Errors of drafts.
var (
	ErrOverlaps = errors.New("这段时间的一部分已经发布过：两次结果之差会透露个别评价；请选择与已发布的相同、由其合成或不相交的时期 · a part of these days was published " +
		"already, and the difference would tell single answers; choose the same days, their sum, or others")
	ErrMonths = errors.New("请选择整月、整季或整年 · choose whole months")
)

// Release is a result of an area for some months (article 19), as it was counted when it was drafted.
type Release struct {
	Area    string           `json:"area"` // 12 digits
	Name    string           `json:"name"` // of the area
	Days    directory.Period `json:"days"`
	Version int              `json:"version"` // from 1; a later one corrects the words of the one before
	Whole   *Node            `json:"whole"`
	Pos     int64            `json:"pos"`              // row of the journal up to which it was counted
	Beside  []int64          `json:"beside,omitempty"` // dossiers of what was published before about some of these days
}

// Earlier is a release that was published, by its dossier.
type Earlier struct {
	ID int64
	Release
}

// Draft counts a result of an area for whole months that ended thirty days ago or earlier. Of what was published before about these days
// it says neither more nor anything else: the numbers are those that everybody knows, or their sums. Where it would overlap otherwise it is
// ErrOverlaps. So whatever is published beside it, the difference tells nothing.
func (r *Reports) Draft(ctx context.Context, area string, days directory.Period, earlier []Earlier) (Release, error) {
	if monthOf(days.From) != days.From || monthOf(days.To) != days.To || days.From >= days.To || days.To-days.From > 366 {
		return Release{}, ErrMonths
	}
	if directory.DayOf(r.cfg.Now()) < days.To+settled {
		return Release{}, ErrNotOver
	}
	p, err := r.Progress(ctx)
	if err == nil && p.Counting {
		err = ErrCounting
	}
	if err != nil {
		return Release{}, err
	}
	whole, err := r.tree(ctx, area, days)
	if err != nil {
		return Release{}, err
	}
	out := Release{Area: area, Name: whole.Name, Days: days, Version: 1, Pos: p.Pos}
	for _, e := range earlier {
		if _, meets := e.Days.Meet(days); meets && e.shares(whole) {
			out.Beside = append(out.Beside, e.ID)
		}
		if e.Area == area && e.Days == days {
			out.Version = max(out.Version, e.Version+1)
		}
	}
	out.Whole, err = whole.withheld(days, earlier)
	return out, err
}

// withheld returns what is published of a tree for some days beside what was published before.
func (n *Node) withheld(days directory.Period, earlier []Earlier) (*Node, error) {
	out, err := n.beside(days, earlier)
	if err != nil {
		return nil, err
	}
	out.addUp()
	return out, out.Publish()
}

// tree counts an area: its cities, counties and halls, as far as they lie in it.
func (r *Reports) tree(ctx context.Context, area string, days directory.Period) (*Node, error) {
	t, err := r.Sum(ctx, Ask{Days: days, Fits: func(w Where) bool {
		return len(w.Area) == areaDigits && strings.HasPrefix(w.Area, area[:cutOf(area)])
	},
		Group: func(w Where, _ string) string { return w.Area + " " + w.Hall }})
	if err != nil {
		return nil, err
	}
	a, err := r.cfg.Directory.Atlas(ctx)
	if err != nil {
		return nil, err
	}
	g := grower{atlas: a, day: days.To - 1, known: make(map[string]*Node)}
	root := g.node(nil, fmt.Sprint(cutOf(area), " ", area), g.called(directory.Area, area))
	for _, row := range t.Rows {
		in, hall, _ := strings.Cut(row.ID, " ")
		g.add(root, in, hall, row.Of(""))
	}
	root.sort()
	return root, nil
}

// cutOf returns how many digits of an area's code say something: 2, 4 or 6.
func cutOf(area string) int {
	for _, n := range []int{2, 4} {
		if strings.Trim(area[n:], "0") == "" {
			return n
		}
	}
	return 6
}

// find returns the node of an ID in a tree, nil if there is none.
func (n *Node) find(id string) *Node {
	if n.ID == id {
		return n
	}
	for _, c := range n.Nodes {
		if x := c.find(id); x != nil {
			return x
		}
	}
	return nil
}

// shares reports whether a release and a tree have a node in common.
func (e Earlier) shares(n *Node) bool { return e.Whole.find(n.ID) != nil || n.find(e.Whole.ID) != nil }

// beside returns a tree in which whatever was published already about the days is as it was published.
func (n *Node) beside(days directory.Period, earlier []Earlier) (*Node, error) {
	var meets []Earlier
	for _, e := range earlier {
		if _, ok := e.Days.Meet(days); ok && e.Whole.find(n.ID) != nil {
			meets = append(meets, e)
		}
	}
	if len(meets) > 0 {
		return published(n.ID, days, meets)
	}
	out := *n
	out.Nodes = nil
	for _, c := range n.Nodes {
		x, err := c.beside(days, earlier)
		if err != nil {
			return nil, err
		}
		out.Nodes = append(out.Nodes, x)
	}
	return &out, nil
}

// published returns a node as it was published for some days: at once, or in parts that make them up.
func published(id string, days directory.Period, meets []Earlier) (*Node, error) {
	byDays := make(map[directory.Period][]*Node)
	for _, e := range meets {
		byDays[e.Days] = append(byDays[e.Days], e.Whole.find(id))
	}
	if all := byDays[days]; len(all) > 0 {
		return asOne(all, false), nil
	}
	var parts []*Node
	for at := days.From; at < days.To; {
		var longest directory.Period
		for p := range byDays {
			if p.From == at && p.To <= days.To && p.To > longest.To {
				longest = p
			}
		}
		if longest.To == 0 {
			return nil, ErrOverlaps
		}
		parts = append(parts, asOne(byDays[longest], false))
		at = longest.To
	}
	return asOne(parts, true), nil
}

// asOne makes one node of several, of which no more is known than of each: the sum of parts, or the first one of the same days.
func asOne(all []*Node, sum bool) *Node {
	out := &Node{ID: all[0].ID, Name: all[len(all)-1].Name, Shown: Levels, known: true}
	children := make(map[string][]*Node)
	for i, n := range all {
		if sum || i == 0 {
			out.Amount, out.unsaid, out.unleveled = out.Plus(n.Amount), out.unsaid.Plus(n.notSaid()), out.unleveled.Plus(n.notLeveled())
		}
		out.Shown = min(out.Shown, n.Shown)
		for _, c := range n.Nodes {
			children[c.ID] = append(children[c.ID], c)
		}
	}
	for _, some := range children {
		out.Nodes = append(out.Nodes, asOne(some, sum))
	}
	slices.SortFunc(out.Nodes, func(a, b *Node) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// addUp makes each node the sum of those in it: what has come late of a part that was published is not in it.
func (n *Node) addUp() {
	if len(n.Nodes) == 0 || n.known {
		return
	}
	n.Amount = Amount{}
	for _, c := range n.Nodes {
		c.addUp()
		n.Amount = n.Plus(c.Amount)
	}
}

// Title returns what a release is called.
func (r Release) Title() string {
	y, first, _ := r.Days.From.Start().Date()
	to, last, _ := (r.Days.To - 1).Start().Date()
	months := fmt.Sprintf("%d 年 %d 月至 %d 年 %d 月", y, first, to, last)
	switch n := int(last-first) + 1; {
	case y != to:
	case n == 12:
		months = fmt.Sprintf("%d 年", y)
	case n == 3 && first%3 == 1:
		months = fmt.Sprintf("%d 年第%s季度", y, []string{"一", "二", "三", "四"}[first/3])
	case n == 1:
		months = fmt.Sprintf("%d 年 %d 月", y, first)
	default:
		months = fmt.Sprintf("%d 年 %d 至 %d 月", y, first, last)
	}
	title := r.Name + " " + months + "政务服务好差评结果"
	if r.Version > 1 {
		title += fmt.Sprintf("（第 %d 版）", r.Version)
	}
	return title
}

// Lines returns the whole and all that is in it, each after what it is in.
func (r Release) Lines() []Line { return r.Whole.lines(0) }

// Key names a release, as its dossier is named: once.
func (r Release) Key() string {
	return fmt.Sprintf("%s %s %s v%d", r.Area, r.Days.From, r.Days.To, r.Version)
}

// ParseKey reads what Key has written, also of a draft that was begun anew.
func ParseKey(s string) (area string, days directory.Period, version int, err error) {
	var from, to string
	if _, err = fmt.Sscanf(s, "%s %s %s v%d", &area, &from, &to, &version); err == nil {
		if days.From, err = directory.ParseDay(from); err == nil {
			days.To, err = directory.ParseDay(to)
		}
	}
	if err != nil {
		return "", days, 0, fmt.Errorf("%q names no release: %w", s, err)
	}
	return area, days, version, nil
}
