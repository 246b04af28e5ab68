package report

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/rating"
)

//go:embed open.html
var openPage string

// ErrNotOver says that a year is not published yet.
var ErrNotOver = errors.New("该年结束三十天后才能发布：晚到的评价还会改变数字，两次发布之差会透露个别评价 · a year is published thirty days after its end, and once: what " +
	"comes late still changes it")

// settled is how long after its end a year is published.
const settled = 30

// Yearly is what is published of a year (article 19).
type Yearly struct {
	Year  int
	Whole *Node
}

// areaDigits is the length of an area's code.
const areaDigits = 12

// Publish returns what is published of a year: by areas down to counties, and by halls. What is not known to lie anywhere is not in it.
func (r *Reports) Publish(ctx context.Context, year int) (Yearly, error) {
	days := directory.Period{From: directory.Date(year, time.January, 1), To: directory.Date(year+1, time.January, 1)}
	if directory.DayOf(r.cfg.Now()) < days.To+settled {
		return Yearly{}, ErrNotOver
	}
	t, err := r.Sum(ctx, Ask{Days: days, Fits: func(w Where) bool { return len(w.Area) == areaDigits },
		Group: func(w Where, _ string) string { return w.Area + " " + w.Hall }})
	if err != nil {
		return Yearly{}, err
	}
	a, err := r.cfg.Directory.Atlas(ctx)
	if err != nil {
		return Yearly{}, err
	}
	g := grower{atlas: a, day: days.To - 1, known: make(map[string]*Node)}
	whole := g.node(nil, "", "全部")
	for _, row := range t.Rows {
		area, hall, _ := strings.Cut(row.ID, " ")
		g.add(whole, area, hall, row.Of(""))
	}
	whole.sort()
	if err := whole.Publish(); err != nil {
		return Yearly{}, err
	}
	return Yearly{year, whole}, nil
}

// grower grows a tree of areas and halls.
type grower struct {
	atlas *directory.Atlas
	day   directory.Day
	known map[string]*Node
}

func (g *grower) node(in *Node, id, name string) *Node {
	if n := g.known[id]; n != nil {
		return n
	}
	n := &Node{ID: id, Name: name}
	g.known[id] = n
	if in != nil {
		in.Nodes = append(in.Nodes, n)
	}
	return n
}

// add adds a hall's amount to it, its county, its city and the whole. What lies in no hall stands as one of its county.
func (g *grower) add(whole *Node, area, hall string, a Amount) {
	path := []*Node{whole}
	for _, cut := range []int{4, 6} {
		if whole.within(cut) {
			continue
		}
		code := area[:cut] + strings.Repeat("0", areaDigits-cut)
		name := g.called(directory.Area, code)
		if cut == 6 && code[4:6] == "00" {
			name += "本级" // what is the city's own stands beside its counties
		}
		path = append(path, g.node(path[len(path)-1], fmt.Sprint(cut, " ", code), name))
	}
	last := path[len(path)-1]
	name := g.called(directory.Hall, hall)
	if hall == "" {
		name = "不在大厅（线上、热线等）"
	}
	path = append(path, g.node(last, last.ID+"/"+hall, name))
	for _, n := range path {
		n.Amount = n.Plus(a)
	}
}

// within reports whether an area of so many digits is not below a node.
func (n *Node) within(cut int) bool {
	return strings.HasPrefix(n.ID, "4 ") && cut <= 4 || strings.HasPrefix(n.ID, "6 ")
}

func (g *grower) called(k directory.Kind, id string) string {
	if r, ok := g.atlas.At(k, id, g.day); ok {
		return r.Name
	}
	return id
}

func (n *Node) sort() {
	slices.SortFunc(n.Nodes, func(a, b *Node) int { return cmp.Compare(a.ID, b.ID) })
	for _, c := range n.Nodes {
		c.sort()
	}
}

// Line is a line of what is published. What is withheld is a star.
type Line struct {
	Depth  int
	Name   string
	Cells  []string
	Total  *int64    // nil: withheld
	Levels *[6]int64 // from the best on, and the defaults; nil: withheld
}

// Heads returns the heads of a line's cells.
func (Yearly) Heads() []string {
	all := []string{"评价（含默认）"}
	for _, l := range rating.Levels() {
		all = append(all, l.Chinese())
	}
	return append(all, "默认", "好评率（含默认）", "主动评价好评率（不含默认）")
}

// Lines returns the whole and all that is in it, each after what it is in.
func (y Yearly) Lines() []Line { return y.Whole.lines(0) }

func (n *Node) lines(depth int) []Line {
	l := Line{Depth: depth, Name: n.Name, Cells: []string{"*", "*", "*", "*", "*", "*", "*", "*", "*"}}
	if n.Shown >= Total {
		total := n.total()
		l.Cells[0], l.Total = fmt.Sprint(total), &total
	}
	if n.Shown == Levels {
		for i, x := range n.vector() {
			l.Cells[i+1] = fmt.Sprint(x)
		}
		levels := [6]int64(n.vector())
		l.Levels = &levels
		in := Input{Amount: n.Amount}
		l.Cells[7], l.Cells[8] = GoodRate(in).String(), ActiveGoodRate(in).String()
	}
	all := []Line{l}
	for _, c := range n.Nodes {
		all = append(all, c.lines(depth+1)...)
	}
	return all
}

// CSV writes what is published.
func (y Yearly) CSV(w io.Writer) error { return WriteCSV(w, y.Lines()) }

// WriteCSV writes lines with the mark by which Excel reads UTF-8.
func WriteCSV(w io.Writer, lines []Line) error {
	if _, err := io.WriteString(w, "\xef\xbb\xbf"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	err := out.Write(append([]string{"层级", "名称"}, Yearly{}.Heads()...))
	for _, l := range lines {
		name := l.Name
		if name != "" && strings.ContainsAny(name[:1], "=+-@") {
			name = "'" + name // else a spreadsheet would compute it
		}
		err = errors.Join(err, out.Write(append([]string{fmt.Sprint(l.Depth), name}, l.Cells...)))
	}
	out.Flush()
	return errors.Join(err, out.Error())
}

// HTML writes what is published as a page that needs no other file.
func (y Yearly) HTML(w io.Writer) error {
	t, err := template.New("open").Parse(openPage)
	if err != nil {
		return err
	}
	return t.Execute(w, y)
}

// Least is the smallest number that is published.
func (Yearly) Least() int { return LeastPublished }

// Definitions returns the figures that are published.
func (Yearly) Definitions() (all []Figure) {
	for _, code := range []string{"silent", "good_rate", "active_good_rate"} {
		if f, ok := FigureOf(code); ok {
			all = append(all, f)
		}
	}
	return all
}
