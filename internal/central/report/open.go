package report

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// LeastPublished is the smallest number that is published.
const LeastPublished = 10

// ErrDiscloses says that beside what was published already a result would tell small numbers.
var ErrDiscloses = errors.New("与已发布的结果放在一起会透露小于 10 的数，不能这样发布；请改换地区或时期 · beside what was published already this would tell small numbers; " +
	"publish another area or period")

// Shown says what of a node is published.
type Shown int

// What is published of a node, each more than the one before.
const (
	Nothing Shown = iota
	Total         // how many answers there were, defaults among them
	Levels        // each level, and the defaults
)

// Node is a part of a whole that is published: an area in another, or a hall in an area. The answers of the nodes in a node add up to its
// own.
type Node struct {
	ID, Name string
	Amount
	Nodes []*Node `json:",omitempty"`
	Shown Shown

	// known says that Shown is so much as was published of the node already, which is neither more nor less now. A known node may be a sum:
	// unsaid is the sum of those parts of which nothing was published, and unleveled of those whose levels were not.
	known             bool
	unsaid, unleveled Amount
}

// notSaid returns what of a node nobody has been told.
func (n *Node) notSaid() Amount {
	switch {
	case n.known:
		return n.unsaid
	case n.Shown == Nothing:
		return n.Amount
	}
	return Amount{}
}

// notLeveled returns that of a node of whose levels nobody has been told.
func (n *Node) notLeveled() Amount {
	switch {
	case n.known:
		return n.unleveled
	case n.Shown != Levels:
		return n.Amount
	}
	return Amount{}
}

// vector is what is published of a node: the levels from the best on, and the defaults.
type vector [6]int64

func (a Amount) vector() vector {
	return vector{a.Levels[5], a.Levels[4], a.Levels[3], a.Levels[2], a.Levels[1], a.Silent}
}

func (a Amount) total() int64 { return a.Answered() + a.Silent }

// small reports whether one of the numbers is too small to be published. None is not small.
func (v vector) small() bool {
	return slices.ContainsFunc(v[:], func(n int64) bool { return n > 0 && n < LeastPublished })
}

func (v vector) minus(o vector) vector {
	for i, n := range o {
		v[i] -= n
	}
	return v
}

// Publish decides what of a tree is published: no number between 0 and LeastPublished, and nothing from which one could be worked out. Of
// each node no more is published than of the one it is in, but for those that were published already, which withhold nothing for others.
// ErrDiscloses says that these leave too little.
func (n *Node) Publish() error {
	switch {
	case n.known:
	case n.total() > 0 && n.total() < LeastPublished:
		n.Shown = Nothing
	case n.vector().small():
		n.Shown = Total
	default:
		n.Shown = Levels
	}
	return n.publishNodes()
}

func (n *Node) publishNodes() error {
	parts := make([]part, len(n.Nodes))
	for i, c := range n.Nodes {
		parts[i] = part{n: c.total(), known: c.known}
		if c.known {
			parts[i].unsaid = c.notSaid().total()
		}
	}
	hidden, ok := withhold(parts, LeastPublished)
	if n.Shown != Nothing && !n.known && !ok {
		return fmt.Errorf("%w (%s)", ErrDiscloses, n.Name)
	}
	for i, c := range n.Nodes {
		switch {
		case c.known:
		case n.Shown == Nothing || hidden[i]:
			c.Shown = Nothing
		case n.Shown == Total || c.vector().small():
			c.Shown = Total
		default:
			c.Shown = Levels
		}
	}
	if n.Shown == Levels && !n.known && !n.complement() {
		return fmt.Errorf("%w (%s)", ErrDiscloses, n.Name)
	}
	for _, c := range n.Nodes {
		if err := c.publishNodes(); err != nil {
			return err
		}
	}
	return nil
}

// complement withholds the levels of further nodes, the smallest first, until two or more are withheld and none of what is left of the
// whole for them is small. A withheld number then lies anywhere between two bounds that are LeastPublished apart: with a total r of its
// node, the left x of its level and s of all levels it may be from r+x-s to the lesser of r and x (Fréchet), and none of r, x, s-r and s-x
// is small. It reports false if what was published already leaves too little.
func (n *Node) complement() bool {
	for {
		left, withheld := n.vector(), 0
		var next *Node
		for _, c := range n.Nodes {
			untold := c.notLeveled()
			left = left.minus(c.vector().minus(untold.vector()))
			if untold.total() > 0 {
				withheld++
			}
			if c.Shown != Levels {
				continue
			}
			if c.total() > 0 && !c.known && (next == nil || cmp.Or(cmp.Compare(c.total(), next.total()), cmp.Compare(c.ID, next.ID)) < 0) {
				next = c
			}
		}
		switch {
		case withheld == 0 || withheld > 1 && !left.small():
			return true
		case next == nil:
			return !slices.ContainsFunc(n.Nodes, func(c *Node) bool { return c.known })
		}
		next.Shown = Total
	}
}

// Withhold returns which parts of a whole are withheld: those with fewer than some, and so many others, the smallest first, that what is
// withheld together has at least as many. What is left of the whole then tells of no part by itself.
func Withhold(parts []int64, least int64) []bool {
	all := make([]part, len(parts))
	for i, n := range parts {
		all[i].n = n
	}
	hidden, _ := withhold(all, least)
	return hidden
}

// part is a part of a whole. Of one that was published already nothing can be withheld any more, and of a sum that was published in pieces
// only those pieces are not known that were withheld then.
type part struct {
	n      int64
	known  bool
	unsaid int64 // of a known one
}

// withhold is Withhold where everybody knows some parts. What of them was withheld is withheld with one more part at least, or the whole
// would tell it. It reports false if too little is withheld.
func withhold(parts []part, least int64) ([]bool, bool) {
	hidden := make([]bool, len(parts))
	order := make([]int, len(parts))
	var together, members, old int64
	hide := func(i int, n int64) {
		hidden[i] = true
		together += n
		if n > 0 {
			members++
		}
	}
	for i, p := range parts {
		order[i] = i
		if p.unsaid > 0 {
			hide(i, p.unsaid)
			old++
		}
	}
	enough := func() bool { return together == 0 || together >= least && (old == 0 || members > 1) }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(parts[a].n, parts[b].n) })
	for _, i := range order {
		p := parts[i]
		if !p.known && (p.n < least && p.n > 0 || !enough()) {
			hide(i, p.n)
		}
	}
	return hidden, enough()
}
