package books

import (
	"encoding/binary"
	"hash/fnv"
	"math/bits"
	"strconv"
	"strings"

	"haochaping/internal/rating"
)

// found is by what an evaluation is searched for: hashes, which let others through now and then, so that whoever searches compares the
// words too.
type found struct {
	post, staff, tasks int64
}

// locate works out by what an evaluation is found: by what the record of its visit says, or by its case where it came by a channel without
// one.
func (e *evaluation) locate() error {
	e.found = found{}
	v, err := e.visit.read()
	if err != nil {
		return err
	}
	if e.channelled() {
		if area, err := strconv.ParseInt(areaOf(e.question.Case, v), 10, 64); err == nil {
			e.found.post = -area
		}
		if v != nil && v.Staff.ID != "" {
			e.found.staff = shortHash(v.Staff.ID)
		}
		return nil
	}
	if v == nil {
		return nil
	}
	e.found.post = Post{Device: e.visit.device.name, Generation: v.Window.Generation, Window: v.Window.ID}.hash()
	if v.Staff.ID != "" {
		e.found.staff = shortHash(v.Staff.ID)
	}
	for _, c := range v.Cases {
		if e.question.Case == "" || c.ProjectNo == e.question.Case {
			e.found.tasks |= taskBits(c.TaskCode) | taskBits(c.TaskName)
		}
	}
	return nil
}

// areaOf returns where an answer by a channel belongs: the area of its case, else that of its window without a box, whose person it is
// about.
func areaOf(about string, v *rating.Visit) string {
	if area := rating.ParseCaseKey(about).Area; area != "" || v == nil {
		return area
	}
	return v.Window.Area
}

// moment returns by what an evaluation stands in lists. It never moves, where the time of one whose clock is not believed does.
func (e *evaluation) moment() int64 {
	if e.believed {
		return e.at.Wall
	}
	return e.received
}

// Post is where an evaluation was given: a box with a generation of its configuration, and the window that the visit's record names. Of an
// answer by a channel without a box it is the area of its case, or of its window without a box, alone.
type Post struct {
	Device     rating.DeviceID
	Generation uint32
	Window     string
	Area       string
}

// hash returns the post as the table has it.
func (p Post) hash() int64 {
	return shortHash(string(p.Device) + "\n" + strconv.FormatUint(uint64(p.Generation), 10) + "\n" + p.Window)
}

// shortHash returns a number of 31 bits that is not 0. Short numbers keep the indexes small.
func shortHash(s string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s)) // it never fails
	return max(1, int64(h.Sum32()>>1))
}

// taskBits returns two of 62 bits for a matter's code or name, none for an empty one.
func taskBits(s string) int64 {
	if s == "" {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // it never fails
	x := binary.BigEndian.Uint64(h.Sum(nil))
	a, _ := bits.Mul64(x, 62)
	b, _ := bits.Mul64(bits.RotateLeft64(x, 32)*0x9e3779b97f4a7c15, 62)
	return 1<<a | 1<<b
}

// areaBounds returns the least and the greatest code of the areas in an area, as numbers. The zeros at the end of a code stand for all
// below it.
func areaBounds(code string) (low, high int64) {
	stem := areaStem(code)
	low, _ = strconv.ParseInt(code, 10, 64) // what is no code has nothing in it
	high, _ = strconv.ParseInt(stem+strings.Repeat("9", max(0, 12-len(stem))), 10, 64)
	return low, high
}

// areaStem returns the digits of an area's code that are not filled up with zeros.
func areaStem(code string) string {
	for _, n := range []int{0, 2, 4, 6, 9} {
		if len(code) >= n && strings.Trim(code[n:], "0") == "" {
			return code[:n]
		}
	}
	return code
}

// inArea reports whether an area is another one or in it.
func inArea(area, outer string) bool {
	low, high := areaBounds(outer)
	n, err := strconv.ParseInt(area, 10, 64)
	return err == nil && low <= n && n <= high
}
