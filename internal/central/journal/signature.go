package journal

import (
	"crypto/rand"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"haochaping/internal/recordkey"
)

// Signed is a text with the signature that is said to be that of a key's owner.
type Signed struct {
	Key, Text, Signature []byte
}

// checkedTogether is how many signatures are checked by one sum. More of them save little, and take 4 kB each.
const checkedTogether = 32

// CheckSignatures reports of each whether the signature is that of the key's owner. It decides by the rule of ZIP 215, which takes whatever
// crypto/ed25519 takes, and under which it makes no difference whether one is checked alone or many together. Whoever reads a box's
// signature at the centre asks here: a box that knows how the rules differ could else make a row that one reader takes and another calls
// damaged. Those of SM2 are checked one by one, since nobody has found a sum for them.
func CheckSignatures(all []Signed) []bool {
	good := make([]bool, len(all))
	var sums []Signed // of Ed25519
	var of []int
	for i, s := range all {
		if recordkey.Of(s.Key) == recordkey.SM2 {
			good[i] = recordkey.Verify(s.Key, s.Text, s.Signature)
			continue
		}
		sums, of = append(sums, s), append(of, i)
	}
	for i, ok := range checkSums(sums) {
		good[of[i]] = ok
	}
	return good
}

// checkSums is CheckSignatures for those of Ed25519.
func checkSums(all []Signed) []bool {
	good := make([]bool, 0, len(all))
	for len(all) > 0 {
		n := min(len(all), checkedTogether)
		good = append(good, checkTogether(all[:n])...)
		all = all[n:]
	}
	return good
}

// Sign returns the signature that crypto/ed25519 makes, in half the time. The key is one of crypto/ed25519.
func Sign(key, text []byte) []byte { return ed25519.Sign(key, text) }

func checkTogether(all []Signed) []bool {
	rule := &ed25519.Options{Verify: ed25519.VerifyOptionsZIP_215}
	if len(all) == 1 {
		s := all[0]
		return []bool{len(s.Key) == ed25519.PublicKeySize && ed25519.VerifyWithOptions(s.Key, s.Text, s.Signature, rule)}
	}
	sum := ed25519.NewBatchVerifierWithCapacity(len(all)).ForceNoPublicKeyExpansion() // tables of a key pay for one that is met again
	for _, s := range all {
		sum.AddWithOptions(s.Key, s.Text, s.Signature, rule)
	}
	_, good := sum.Verify(rand.Reader) // one that is bad costs the others that each is checked by itself
	return good
}
