package signature

import (
	"math/bits"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
)

// point is on the curve: x = X/Z, y = Y/Z, and xy = T/Z.
type point struct{ x, y, z, t field.Element }

// completed is the result of an addition before its coordinates are multiplied out: x = X/Z, y = Y/T.
type completed struct{ x, y, z, t field.Element }

// addend is a point that is added often: y+x, y-x and 2dxy.
type addend struct{ sum, difference, product field.Element }

// extended multiplies out all four coordinates of c.
func (p *point) extended(c *completed) {
	p.projective(c)
	p.t.Multiply(&c.x, &c.y)
}

// projective multiplies out x, y and z, which are enough to double.
func (p *point) projective(c *completed) {
	p.x.Multiply(&c.x, &c.t)
	p.y.Multiply(&c.y, &c.z)
	p.z.Multiply(&c.z, &c.t)
}

// double sets c to twice p, of which t is not used.
func (c *completed) double(p *point) {
	var xx, yy, zz2, both field.Element
	xx.Square(&p.x)
	yy.Square(&p.y)
	zz2.Square(&p.z)
	zz2.Add(&zz2, &zz2)
	both.Add(&p.x, &p.y)
	both.Square(&both)
	c.y.Add(&yy, &xx)
	c.z.Subtract(&yy, &xx)
	c.x.Subtract(&both, &c.y)
	c.t.Subtract(&zz2, &c.z)
}

// add sets c to p plus a, or minus a.
func (c *completed) add(p *point, a *addend, minus bool) {
	var pp, mm, tt, zz field.Element
	sum, difference := &a.sum, &a.difference
	if minus {
		sum, difference = difference, sum
	}
	pp.Add(&p.y, &p.x)
	mm.Subtract(&p.y, &p.x)
	pp.Multiply(&pp, sum)
	mm.Multiply(&mm, difference)
	tt.Multiply(&p.t, &a.product)
	zz.Add(&p.z, &p.z)
	c.x.Subtract(&pp, &mm)
	c.y.Add(&pp, &mm)
	if minus {
		c.z.Subtract(&zz, &tt)
		c.t.Add(&zz, &tt)
		return
	}
	c.z.Add(&zz, &tt)
	c.t.Subtract(&zz, &tt)
}

// encoding returns p as a signature has it, of which t is not used.
func (p *point) encoding() (b [32]byte) {
	var inverse, x, y field.Element
	inverse.Invert(&p.z)
	x.Multiply(&p.x, &inverse)
	y.Multiply(&p.y, &inverse)
	copy(b[:], y.Bytes())
	b[31] |= byte(x.IsNegative() << 7)
	return b
}

// twiceD returns 2d, where -x² + y² = 1 + dx²y² is the curve and d is -121665/121666.
func twiceD() *field.Element {
	var above, below, d field.Element
	above.Mult32(new(field.Element).One(), 121665)
	below.Mult32(new(field.Element).One(), 121666)
	d.Multiply(above.Negate(&above), below.Invert(&below))
	return d.Add(&d, &d)
}

const (
	parts = 4  // into which a scalar is cut
	width = 64 // bits of each
)

// multiples fills table with p, 3p, 5p, … for p times 1, 2^64, 2^128 and 2^192: as many of each as the table has room for.
func multiples(p *edwards25519.Point, twiceD *field.Element, table [parts][]addend) {
	var all []*edwards25519.Point
	base := new(edwards25519.Point).Set(p)
	for i := range table {
		double := new(edwards25519.Point).Add(base, base)
		for n := range table[i] {
			q := new(edwards25519.Point).Set(base)
			if n > 0 {
				q.Add(all[len(all)-1], double)
			}
			all = append(all, q)
		}
		for range width {
			base.Add(base, base)
		}
	}
	// One inversion for all: each is the product of all, inverted, times the product of the others.
	before := make([]field.Element, len(all)) // the product of the z before each
	product := new(field.Element).One()
	for i, q := range all {
		_, _, z, _ := q.ExtendedCoordinates()
		before[i].Set(product)
		product.Multiply(product, z)
	}
	inverse := new(field.Element).Invert(product)
	for i := len(all) - 1; i >= 0; i-- {
		x, y, z, _ := all[i].ExtendedCoordinates()
		var own field.Element
		own.Multiply(inverse, &before[i])
		inverse.Multiply(inverse, z)
		x.Multiply(x, &own)
		y.Multiply(y, &own)
		a := &table[i/len(table[0])][i%len(table[0])]
		a.sum.Add(y, x)
		a.difference.Subtract(y, x)
		a.product.Multiply(a.product.Multiply(x, y), twiceD)
	}
}

// digits writes n as a sum of d[i] times 2^i, where each d[i] is 0 or odd and below 2^(window-1) in size, and of window in a row one at most is not 0.
func digits(n uint64, window uint) (d [width + 1]int8) {
	over := uint64(0) // the bit above n
	for i := 0; n != 0 || over != 0; i++ {
		if n&1 == 1 {
			x := int64(n & (1<<window - 1))
			if x >= 1<<(window-1) {
				x -= 1 << window
				n, over = bits.Add64(n, uint64(-x), 0)
			} else {
				n -= uint64(x)
			}
			d[i] = int8(x)
		}
		n, over = n>>1|over<<63, 0
	}
	return d
}
