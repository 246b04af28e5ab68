package report

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"haochaping/internal/central/directory"
	"haochaping/internal/rating"
)

// land is two cities with three halls each, with what was rated in each of three months as it has come so far.
type land struct {
	halls [6][3][2]int64 // by month: good and bad answers
}

const landHalls = 3 // of a city

func months2025(from, to int) directory.Period {
	return directory.Period{From: directory.Date(2025, time.Month(from), 1), To: directory.Date(2025, time.Month(to)+1, 1)}
}

// tree counts an area for the months from one to another: the province, or one of its cities.
func (l *land) tree(area, from, to int) *Node {
	city := func(n int) *Node {
		c := &Node{ID: fmt.Sprint("4 ", n), Name: fmt.Sprint("city ", n)}
		for h := range landHalls {
			x := &Node{ID: fmt.Sprintf("4 %d/%d", n, h)}
			for m := from; m <= to; m++ {
				v := l.halls[(n-1)*landHalls+h][m-1]
				x.Levels[rating.VerySatisfied] += v[0]
				x.Levels[rating.VeryDissatisfied] += v[1]
			}
			c.Nodes = append(c.Nodes, x)
			c.Amount = c.Plus(x.Amount)
		}
		return c
	}
	if area > 0 {
		return city(area)
	}
	root := &Node{ID: "2 0", Name: "province", Nodes: []*Node{city(1), city(2)}}
	for _, c := range root.Nodes {
		root.Amount = root.Plus(c.Amount)
	}
	return root
}

// attacker is who knows all that was published, and that numbers add up.
type attacker struct {
	rows [][]int64 // of a basis of the equations, each with a leading 1, modulo prime
}

const (
	prime     = 1_000_000_007
	variables = 6 * 3 * 2
)

func inverse(a int64) int64 {
	out := int64(1)
	for e := int64(prime - 2); e > 0; e >>= 1 {
		if e&1 == 1 {
			out = out * a % prime
		}
		a = a * a % prime
	}
	return out
}

// rest returns what is left of a sum of numbers when all that is known is taken away: zeros where it is known.
func (a *attacker) rest(sum []int64) ([]int64, int) {
	r := slices.Clone(sum)
	for _, row := range a.rows {
		lead := slices.IndexFunc(row, func(x int64) bool { return x != 0 })
		if f := r[lead]; f != 0 {
			for i := range r {
				r[i] = ((r[i]-f*row[i])%prime + prime) % prime
			}
		}
	}
	return r, slices.IndexFunc(r, func(x int64) bool { return x != 0 })
}

func (a *attacker) learn(sum []int64) {
	r, lead := a.rest(sum)
	if lead < 0 {
		return
	}
	f := inverse(r[lead])
	for i := range r {
		r[i] = r[i] * f % prime
	}
	a.rows = append(a.rows, r)
}

// sum is of which numbers a node's good or bad answers are the sum.
func sum(n *Node, from, to int, components ...int) []int64 {
	out := make([]int64, variables)
	var halls func(n *Node)
	halls = func(n *Node) {
		for _, c := range n.Nodes {
			halls(c)
		}
		var city, hall int
		if k, err := fmt.Sscanf(n.ID, "4 %d/%d", &city, &hall); k == 2 && err == nil {
			for m := from; m <= to; m++ {
				for _, c := range components {
					out[(((city-1)*landHalls+hall)*3+m-1)*2+c]++
				}
			}
		}
	}
	halls(n)
	return out
}

func walk(n *Node, f func(*Node)) {
	f(n)
	for _, c := range n.Nodes {
		walk(c, f)
	}
}

// withheldNumber is a small number that was withheld.
type withheldNumber struct {
	sum  []int64
	name string
}

// TestWhatSeveralResultsSayTogether publishes results of cities and their province, months, the quarter and further versions, in any order
// and with answers that come late between them: what is published twice is the same, and no withheld small number follows from all of it.
func TestWhatSeveralResultsSayTogether(t *testing.T) {
	published, refused, kept := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var l land
		for h := range l.halls {
			for m := range l.halls[h] {
				l.halls[h][m] = [2]int64{rapid.SampledFrom([]int64{0, 4, 11, 25, 40, 60}).Draw(t, "good"), rapid.SampledFrom([]int64{0, 0, 2, 9, 12,
					15}).Draw(t, "bad")}
			}
		}
		var earlier []Earlier
		var a attacker
		var small []withheldNumber
		said := make(map[string]int64)
		for i := range rapid.IntRange(2, 8).Draw(t, "results") {
			area := rapid.IntRange(0, 2).Draw(t, "area")
			span := rapid.SampledFrom([][2]int{{1, 1}, {2, 2}, {3, 3}, {1, 3}, {1, 2}}).Draw(t, "months")
			days := months2025(span[0], span[1])
			tree, err := l.tree(area, span[0], span[1]).withheld(days, earlier)
			if err != nil {
				if !errors.Is(err, ErrOverlaps) && !errors.Is(err, ErrDiscloses) {
					t.Fatal(err)
				}
				refused++
				continue
			}
			published++
			say := func(n *Node, what string, value int64, components ...int) {
				key := fmt.Sprint(n.ID, span, what)
				if before, ok := said[key]; ok && before != value {
					t.Fatalf("%s is said to be %d after %d", key, value, before)
				}
				said[key] = value
				a.learn(sum(n, span[0], span[1], components...))
			}
			walk(tree, func(n *Node) {
				good, bad := n.Levels[rating.VerySatisfied], n.Levels[rating.VeryDissatisfied]
				if n.Shown != Nothing {
					say(n, "total", n.total(), 0, 1)
				} else if n.total() > 0 && n.total() < LeastPublished {
					small = append(small, withheldNumber{sum(n, span[0], span[1], 0, 1), n.ID + fmt.Sprint(span)})
				}
				if n.Shown == Levels {
					say(n, "good", good, 0)
					say(n, "bad", bad, 1)
				} else if bad > 0 && bad < LeastPublished {
					small = append(small, withheldNumber{sum(n, span[0], span[1], 1), n.ID + fmt.Sprint(span, " bad")})
				}
			})
			earlier = append(earlier, Earlier{int64(i + 1), Release{Days: days, Whole: tree}})
			h, m := rapid.IntRange(0, 5).Draw(t, "late hall"), rapid.IntRange(0, 2).Draw(t, "late month")
			l.halls[h][m][1] += rapid.Int64Range(0, 2).Draw(t, "late")
		}
		for _, s := range small {
			if _, open := a.rest(s.sum); open < 0 {
				t.Fatalf("%s follows from what was published", s.name)
			}
			kept++
		}
	})
	if published == 0 || refused == 0 || kept == 0 {
		t.Errorf("%d results were published, %d refused, %d small numbers kept: nothing was proven", published, refused, kept)
	}
}

// TestTitlesAndKeys: a result is called by its months, and is read back from its key.
func TestTitlesAndKeys(t *testing.T) {
	for months, want := range map[[2]int]string{{1, 12}: "2025 年政务", {4, 6}: "2025 年第二季度政务", {7, 7}: "2025 年 7 月政务",
		{1, 6}: "2025 年 1 至 6 月政务"} {
		r := Release{Area: "629900000000", Name: "示例市", Days: months2025(months[0], months[1]), Version: 1}
		if got := r.Title(); got != "示例市 "+want+"服务好差评结果" {
			t.Errorf("months %v: %q", months, got)
		}
		area, days, version, err := ParseKey(r.Key() + " draft 2")
		if err != nil || area != r.Area || days != r.Days || version != 1 {
			t.Errorf("%q is read as %s %s %d, %v", r.Key(), area, days, version, err)
		}
	}
	if got := (Release{Name: "省", Days: months2025(1, 12), Version: 2}).Title(); got != "省 2025 年政务服务好差评结果（第 2 版）" {
		t.Error(got)
	}
	if _, _, _, err := ParseKey("else"); err == nil {
		t.Error("a key that names nothing is read")
	}
}
