package report

import (
	"fmt"

	"haochaping/internal/rating"
)

// Bar is how answers are shared among the levels, as a picture and in words.
type Bar struct {
	Name, Words string
	Pieces      []Piece
	N           int64
}

// Piece is a level's part of a bar, in percent.
type Piece struct {
	Class string // of its pattern
	X, W  string
	Words string
}

// BarOf draws how answers are shared, with what silence has become apart. Of nothing it has no pieces.
func BarOf(name string, a Amount) Bar {
	b := Bar{Name: name, N: a.Answered() + a.Silent}
	at := 0.0
	add := func(class, words string, n int64) {
		if n == 0 {
			return
		}
		w := float64(n) * 100 / float64(b.N)
		b.Pieces = append(b.Pieces, Piece{Class: class, X: fmt.Sprintf("%.3f%%", at), W: fmt.Sprintf("%.3f%%", w), Words: words})
		if b.Words != "" {
			b.Words += "，"
		}
		b.Words += fmt.Sprintf("%s %d（%s）", words, n, Value{N: n, All: b.N, Share: true})
		at += w
	}
	for _, l := range rating.Levels() {
		add(fmt.Sprintf("v%d", l), l.Chinese(), a.Levels[l])
		if l == rating.FairlySatisfied {
			add("v0", "默认", a.Silent)
		}
	}
	return b
}

// Bars returns those of a node and of the nodes in it whose levels are published.
func (n *Node) Bars() (all []Bar) {
	for _, x := range append([]*Node{n}, n.Nodes...) {
		if x.Shown == Levels && x.total() > 0 {
			all = append(all, BarOf(x.Name, x.Amount))
		}
	}
	return all
}
