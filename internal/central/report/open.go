package report

import (
	"cmp"
	"slices"
)

// LeastPublished is the smallest number that is published.
const LeastPublished = 10

// Shown says what of a node is published.
type Shown int

// What is published of a node, each more than the one before.
const (
	Nothing Shown = iota
	Total         // how many answers there were, defaults among them
	Levels        // each level, and the defaults
)

// Node is a part of a whole that is published: an area in another, or a hall in an area. The answers of the nodes in a node add up to its own.
type Node struct {
	ID, Name string
	Amount
	Nodes []*Node
	Shown Shown
}

// vector is what is published of a node: the levels from the best on, and the defaults.
type vector [6]int64

func (n *Node) vector() vector {
	return vector{n.Levels[5], n.Levels[4], n.Levels[3], n.Levels[2], n.Levels[1], n.Silent}
}

func (n *Node) total() int64 { return n.Answered() + n.Silent }

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

// Publish decides what of a tree is published: no number between 0 and LeastPublished, and nothing from which one could be worked out. Of each node no more is
// published than of the one it is in.
func (n *Node) Publish() {
	n.Shown = Nothing
	switch {
	case n.total() > 0 && n.total() < LeastPublished:
	case n.vector().small():
		n.Shown = Total
	default:
		n.Shown = Levels
	}
	n.publishNodes()
}

func (n *Node) publishNodes() {
	totals := make([]int64, len(n.Nodes))
	for i, c := range n.Nodes {
		totals[i] = c.total()
	}
	hidden := Withhold(totals, LeastPublished)
	for i, c := range n.Nodes {
		c.Shown = Levels
		switch {
		case n.Shown == Nothing || hidden[i]:
			c.Shown = Nothing
		case n.Shown == Total || c.vector().small():
			c.Shown = Total
		}
	}
	if n.Shown == Levels {
		n.complement()
	}
	for _, c := range n.Nodes {
		c.publishNodes()
	}
}

// complement withholds the levels of further nodes, the smallest first, until two or more are withheld and none of what is left of the whole for them is small. A
// withheld number then lies anywhere between two bounds that are LeastPublished apart: with a total r of its node, the left x of its level and s of all
// levels it may be from r+x-s to the lesser of r and x (Fréchet), and none of r, x, s-r and s-x is small.
func (n *Node) complement() {
	for {
		left, withheld := n.vector(), 0
		var next *Node
		for _, c := range n.Nodes {
			if c.Shown != Levels {
				withheld++
				continue
			}
			left = left.minus(c.vector())
			if c.total() > 0 && (next == nil || cmp.Or(cmp.Compare(c.total(), next.total()), cmp.Compare(c.ID, next.ID)) < 0) {
				next = c
			}
		}
		if withheld == 0 || withheld > 1 && !left.small() || next == nil {
			return
		}
		next.Shown = Total
	}
}

// Withhold returns which parts of a whole are withheld: those with fewer than some, and so many others, the smallest first, that what is withheld together
// has at least as many. What is left of the whole then tells of no part by itself.
func Withhold(parts []int64, least int64) []bool {
	hidden := make([]bool, len(parts))
	order := make([]int, len(parts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(parts[a], parts[b]) })
	var together int64
	for _, i := range order {
		small := parts[i] < least && parts[i] > 0
		if small || together > 0 && together < least {
			hidden[i] = true
			together += parts[i]
		}
	}
	return hidden
}
