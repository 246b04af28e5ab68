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
