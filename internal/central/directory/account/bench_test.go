package account

import (
	"crypto/rand"
	"testing"
)

// BenchmarkHash is the cost of one sign-in: 200 to 500 ms of one core.
func BenchmarkHash(b *testing.B) {
	h := NewHasher(1, FullCost(), rand.Reader)
	for b.Loop() {
		if _, err := h.Hash(b.Context(), "correct horse battery staple"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMay is the cost of one question of the rule, which lists ask for each of their rows and windows.
func BenchmarkMay(b *testing.B) {
	p := Person{Account: "a", Second: true, At: 2, Grants: []Grant{{Role: County, Scope: "620102000000", Area: "620102000000", From: 1}}}
	o := Object{Area: "620102000000", Hall: "H1", Units: []string{"U1", "U2"}}
	b.ReportAllocs()
	for b.Loop() {
		if !May(p, SeeEvaluations, o) {
			b.Fatal("refused")
		}
	}
}
