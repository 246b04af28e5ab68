package recordkey

import "encoding/hex"

// weak reports whether a public key of Ed25519 is one of the points of small order: a signature that fits some text is known to everybody.
// One is all zeros, as a placeholder may have it.
func weak(public []byte) bool {
	for _, point := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000", // y = 0, of order 4
		"0100000000000000000000000000000000000000000000000000000000000000", // y = 1, of order 1
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // of order 8
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // of order 8
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = -1, of order 2
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = 0, written with the modulus
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = 1, written with the modulus
	} {
		b, err := hex.DecodeString(point)
		if err == nil && same(public, b) {
			return true
		}
	}
	return false
}

// same compares two points but for the sign of x.
func same(x, y []byte) bool {
	last := len(y) - 1
	return len(x) == len(y) && string(x[:last]) == string(y[:last]) && x[last]&0x7f == y[last]
}
