package report

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// drawNode returns a tree whose nodes add up, with numbers of the kind that tell something: few bad answers among many good ones.
func drawNode(t *rapid.T, depth int) *Node {
	n := &Node{ID: fmt.Sprint(rapid.IntRange(0, 1_000_000).Draw(t, "id"))}
	if depth == 0 {
		good := rapid.SampledFrom([]int64{0, 3, 9, 10, 14, 25, 40}).Draw(t, "good")
		n.Levels = [6]int64{0, rapid.SampledFrom([]int64{0, 0, 1, 5, 9, 10, 12}).Draw(t, "bad"), 0, 0, 0, good}
		return n
	}
	for range rapid.IntRange(1, 4).Draw(t, "nodes") {
		c := drawNode(t, depth-1)
		n.Nodes = append(n.Nodes, c)
		n.Amount = n.Plus(c.Amount)
	}
	return n
}

// TestWhatIsPublishedCannotBeAttacked reads what is published of random trees as somebody does who wants to know what is withheld, and
// tries all tables that agree with it: of no withheld small number are all its possible values near together.
func TestWhatIsPublishedCannotBeAttacked(t *testing.T) {
	attacked := 0
	rapid.Check(t, func(t *rapid.T) {
		root := drawNode(t, rapid.IntRange(1, 2).Draw(t, "depth"))
		if err := root.Publish(); err != nil {
			t.Fatal(err)
		}
		attacked += attack(t, root)
	})
	if attacked == 0 {
		t.Error("no small number was withheld, so nothing was proven")
	}
}

// attack attacks a node and those in it, and returns how many small numbers it could not find.
func attack(t *rapid.T, n *Node) (kept int) {
	t.Helper()
	if n.Shown != Nothing && n.total() > 0 && n.total() < LeastPublished || n.Shown == Levels && n.vector().small() {
		t.Fatalf("a small number is published: %+v", n)
	}
	kept += n.attackTotals(t)
	if n.Shown == Levels {
		kept += n.attackLevels(t)
	}
	for _, c := range n.Nodes {
		if c.Shown > n.Shown {
			t.Fatalf("more is published of %+v than of what it is in", c)
		}
		kept += attack(t, c)
	}
	return kept
}

// attackTotals looks what the published totals leave for those that are withheld.
func (n *Node) attackTotals(t *rapid.T) int {
	t.Helper()
	left, withheld := n.total(), 0
	for _, c := range n.Nodes {
		if c.Shown == Nothing && c.total() > 0 {
			withheld++
		} else {
			left -= c.total()
		}
	}
	if n.Shown == Nothing || withheld == 0 {
		return 0
	}
	if withheld == 1 || left < LeastPublished {
		t.Fatalf("%d withheld totals are %d together in %s", withheld, left, n.tell())
	}
	return withheld
}

// attackLevels tries all tables of good and bad answers that agree with what is published.
func (n *Node) attackLevels(t *rapid.T) int {
	t.Helper()
	left := n.vector()
	var hidden []*Node
	var silentTotals int64
	for _, c := range n.Nodes {
		if c.Shown == Levels {
			left = left.minus(c.vector())
			continue
		}
		hidden = append(hidden, c)
		if c.Shown == Nothing {
			silentTotals += c.total()
		}
	}
	if len(hidden) == 0 {
		return 0
	}
	low, high := make([]int64, len(hidden)), make([]int64, len(hidden))
	for i := range low {
		low[i], high[i] = 1<<60, -1
	}
	bads := make([]int64, len(hidden))
	// Of nodes without a total the totals are known together.
	var try func(i int, bad, totals int64)
	try = func(i int, bad, totals int64) {
		if i == len(hidden) {
			if bad == 0 && totals == 0 {
				for k, b := range bads {
					low[k], high[k] = min(low[k], b), max(high[k], b)
				}
			}
			return
		}
		most, least := hidden[i].total(), hidden[i].total()
		if hidden[i].Shown == Nothing {
			least, most = 0, totals
		}
		for total := least; total <= most; total++ {
			rest := totals
			if hidden[i].Shown == Nothing {
				rest -= total
			}
			for b := int64(0); b <= min(total, bad); b++ {
				bads[i] = b
				try(i+1, bad-b, rest)
			}
		}
	}
	if len(hidden) > 3 || silentTotals > 40 {
		return 0 // too many tables to try; what holds of three holds of more
	}
	try(0, left[4], silentTotals)
	kept := 0
	for i, c := range hidden {
		is := c.Levels[1]
		if is < low[i] || is > high[i] {
			t.Fatalf("the attack is wrong: %d is not between %d and %d", is, low[i], high[i])
		}
		if is > 0 && is < LeastPublished {
			kept++
			if high[i]-low[i] < LeastPublished {
				t.Fatalf("that %d of %s are bad is told to lie between %d and %d in %s", is, c.ID, low[i], high[i], n.tell())
			}
		}
	}
	return kept
}

// tell writes a node with those in it.
func (n *Node) tell() string {
	text := fmt.Sprintf("%s: %v, shown %d", n.ID, n.vector(), n.Shown)
	for _, c := range n.Nodes {
		text += fmt.Sprintf("\n  %s: %v, shown %d", c.ID, c.vector(), c.Shown)
	}
	return text
}

// TestWhatIsWithheldCannotBeWorkedOut attacks what is shown: the whole less what is shown of its parts is what is withheld together, and
// that is never a small part by itself, nor anything with few answers.
func TestWhatIsWithheldCannotBeWorkedOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const least = 20
		parts := rapid.SliceOfN(rapid.Int64Range(0, 60), 1, 12).Draw(t, "parts")
		var whole int64
		for _, n := range parts {
			whole += n
		}
		if whole < least {
			return // then nothing is shown at all
		}
		hidden := Withhold(parts, least)
		left, n := whole, 0
		for i, h := range hidden {
			switch {
			case h:
				n++
			case parts[i] > 0 && parts[i] < least:
				t.Fatalf("a part of %d is shown", parts[i])
			default:
				left -= parts[i]
			}
		}
		if n > 0 && (n == 1 || left < least) {
			t.Fatalf("of %v what is withheld is %d parts with %d answers", parts, n, left)
		}
	})
}
