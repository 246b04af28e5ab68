package powercut

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"haochaping/internal/rating"
)

// expected is what one disk must hold, by what its writers have said and what was found after earlier cuts.
type expected struct {
	epoch  string                 // once something was thanked for in it, or it was found
	bodies map[uint64]string      // hashes of the bodies, by seq
	raw    map[uint64]rating.Hash // hashes of the records' bytes, of those that were found before
	last   uint64                 // of what was thanked for or found
	open   []string               // hashes of the bodies that were given to an Append that has not returned

	asked uint64 // Acknowledge was called through this
	taken uint64 // and has returned through this
	known uint64 // and the file must have learnt of it: a later append was thanked for
}

func newExpected() expected {
	return expected{bodies: make(map[uint64]string), raw: make(map[uint64]rating.Hash)}
}

func (l expected) clone() expected {
	l.bodies, l.raw, l.open = maps.Clone(l.bodies), maps.Clone(l.raw), slices.Clone(l.open)
	return l
}

// account is a run's part of what is expected, as its writer tells it.
type account struct {
	expected expected

	mu      sync.Mutex // for what is looked at before the writer has ended
	doing   string     // phase, "" between two
	started chan struct{}

	epoch   string // that the writer works in
	opened  bool
	thanked int    // records
	failure string // why the writer ended
	wrong   []Breach
}

// listen reads what a writer says until it ends. What comes after the last line feed was cut off and was not said.
func (a *account) listen(r io.Reader, onMark func(name string, count int)) {
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if err := a.hear(word, strings.Fields(rest)); err != nil {
			a.wrong = append(a.wrong, Breach{Kind: Contradiction, Count: 1, Detail: fmt.Sprintf("%q: %v", clip(line), err)})
		}
		if f := strings.Fields(rest); word == saidMark && len(f) == 2 && onMark != nil {
			n, _ := strconv.Atoi(f[1]) // said by ourselves
			onMark(f[0], n)
		}
	}
}

func (a *account) hear(word string, args []string) error {
	l := &a.expected
	number := func(i int) (uint64, error) {
		if i >= len(args) {
			return 0, fmt.Errorf("too short")
		}
		return strconv.ParseUint(args[i], 10, 64)
	}
	switch word {
	case saidDo:
		a.set(strings.Join(args, " "))
	case saidDone:
		a.set("")
	case saidFailed:
		a.failure = strings.Join(args, " ")
	case saidAppend:
		l.open = args
	case saidOpened:
		return a.hearOpened(args)
	case saidThanked:
		first, err := number(0)
		if err != nil {
			return err
		}
		if first != l.last+1 {
			return fmt.Errorf("the last record was %d", l.last)
		}
		for i, h := range l.open {
			l.bodies[first+uint64(i)] = h
		}
		l.last += uint64(len(l.open))
		a.thanked += len(l.open)
		l.open, l.known, l.epoch = nil, l.taken, a.epoch
	case saidAck, saidAcked:
		n, err := number(0)
		if err != nil {
			return err
		}
		if l.asked = max(l.asked, n); word == saidAcked {
			l.taken = max(l.taken, n)
		}
	}
	return nil
}

// hearOpened compares what a writer has opened with what the harness has found just before.
func (a *account) hearOpened(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("too short")
	}
	a.epoch, a.opened = args[0], true
	switch l := a.expected; {
	case l.epoch != "" && a.epoch != l.epoch:
		return fmt.Errorf("the epoch was %s", l.epoch)
	case args[2] != strconv.FormatUint(l.last, 10):
		return fmt.Errorf("the last record was %d", l.last)
	}
	return nil
}

func (a *account) set(phase string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.doing = phase
	if a.started != nil {
		close(a.started)
		a.started = nil
	}
}

func (a *account) phase() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.doing
}

func clip(s string) string { return s[:min(len(s), 200)] }
