package device

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/device/evdev"
	"haochaping/device/keypad"
)

// cardText says what a card reader noticed, in a word.
func cardText(c Card) string {
	return map[CardKind]string{CardShown: c.Number, CardUnread: "unread", ReaderLost: "lost", ReaderBack: "back", ReaderReady: "ready"}[c.Kind]
}

// cardsOn runs a card reader over a port and returns what it notices, in words.
func cardsOn(t *testing.T, c SerialConfig) func(want string) {
	t.Helper()
	r := NewCardReader(c)
	cards := make(chan Card, 100)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, func(c Card) { cards <- c }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for len(cards) > 0 { // the terminal may have been closed before
			if c := <-cards; c.Kind != ReaderLost {
				t.Errorf("%q was noticed besides", cardText(c))
			}
		}
	})
	return func(want string) {
		t.Helper()
		select {
		case c := <-cards:
			if got := cardText(c); got != want {
				t.Fatalf("%q was noticed, want %q", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("no %q within a minute", want)
		}
	}
}

// TestCardReader plugs a reader in, holds cards to it, unplugs it under a card that stays there, and plugs it in again.
func TestCardReader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reader")
	next := cardsOn(t, SerialConfig{Port: path, Profile: shipped(t, "card-stx"), Now: now(), Logger: quiet, Repeat: time.Hour})
	next("lost")
	master := openTTY(t, path)
	next("back")
	send := func(s, want string) { // with a pause that a late machine sees too
		t.Helper()
		time.Sleep(1200 * time.Millisecond)
		writeTo(t, master, s)
		if want != "" {
			next(want)
		}
	}
	send("\x020A0065ABCD89\r\n\x03", "0A0065ABCD89")
	send("\x020A0065ABCD89\r\n\x03", "") // it lies there
	send("?", "")                        // too little to be told
	send("\x020A0065ABCE8A\x03", "0A0065ABCE8A")
	send("\x020A0065ABCD89\x03", "")
	send("no card at all", "unread")
	if err := master.Close(); err != nil {
		t.Fatal(err)
	}
	next("lost")
	master = openTTY(t, path)
	next("back")
	send("\x020A0065ABCD89\x03", "") // it stayed
	send("\x020A0065ABCDFF\x03", "0A0065ABCDFF")
}

// TestAHeldCardIsNoBabble has a program find a second's worth of a held card at once, as one that was late does: the reader is lost, and
// back though the card stays where it is.
func TestAHeldCardIsNoBabble(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reader")
	next := cardsOn(t, SerialConfig{Port: path, Profile: shipped(t, "card-line"), Now: now(), Logger: quiet})
	next("lost")
	master := openTTY(t, path)
	next("back")
	writeTo(t, master, strings.Repeat("0012345678\r\n", 60))
	next("lost")
	ctx, cancel := context.WithCancel(t.Context())
	var held sync.WaitGroup
	held.Go(func() {
		for ctx.Err() == nil {
			_, _ = master.WriteString("0012345678\r\n")
			time.Sleep(300 * time.Millisecond)
		}
	})
	next("back")
	next("0012345678")
	cancel()
	held.Wait()
}

// TestReadersOfEachProfile sends what the readers that profiles are shipped for send, whole and byte by byte.
func TestReadersOfEachProfile(t *testing.T) {
	for name, c := range map[string]struct{ sent, want string }{
		"card-line":    {"0012345678\r\n", "0012345678"},
		"card-stx":     {"\x020012345678\r\n\x03", "0012345678"},
		"card-list":    {"0012345678,190,24910\r\n", "0012345678"},
		"card-packet":  {"\x02\x0a\x02\x06\x00\x8e\x6d\x5d\xb0\x03", "0009334109"},
		"card-rdm6300": {"\x024500C5D1E9B8\x03", "0012964329"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "reader")
			master := openTTY(t, path)
			next := cardsOn(t, SerialConfig{Port: path, Profile: shipped(t, name), Now: now(), Logger: quiet, Repeat: time.Hour})
			next("ready")
			time.Sleep(50 * time.Millisecond)
			writeTo(t, master, c.sent)
			next(c.want)
			for i := range len(c.sent) { // it stays there
				writeTo(t, master, c.sent[i:i+1])
				time.Sleep(2 * time.Millisecond)
			}
			time.Sleep(1500 * time.Millisecond)
			writeTo(t, master, "\x99\x98\x97\x96\r\n")
			next("unread")
		})
	}
}

func writeTo(t *testing.T, f *os.File, s string) {
	t.Helper()
	if _, err := f.WriteString(s); err != nil {
		t.Fatal(err)
	}
}

// TestACardIsOneEventUntilItWasAway holds random cards to a reader, each for a while in which it is sent again and again at
// random intervals, with pauses between: whatever the pieces in which bytes come, each holding is one event.
func TestACardIsOneEventUntilItWasAway(t *testing.T) {
	const away = 2 * time.Second
	p := profileOf(t, "name='x'\n[[frame]]\nkind='card'\nlayout='02 text*4-10=30-39 03'\n")
	rapid.Check(t, func(t *rapid.T) {
		s := newCardStream(p, 9600, away)
		var got, want []string
		at := rapid.Custom(duration(0, time.Hour)).Draw(t, "begin")
		tell := func(all []Card) {
			for _, c := range all {
				got = append(got, cardText(c))
			}
		}
		for range rapid.IntRange(1, 5).Draw(t, "holdings") {
			number := rapid.StringMatching(`[0-9]{4,10}`).Draw(t, "number")
			sent, event := "\x02"+number+"\x03", number
			if rapid.Bool().Draw(t, "strange") {
				sent, event = "?"+number, "unread"
			}
			want = append(want, event)
			for range rapid.IntRange(1, 20).Draw(t, "times") {
				for b := []byte(sent); len(b) > 0; at += rapid.Custom(duration(0, 10*time.Millisecond)).Draw(t, "pause") {
					n := rapid.IntRange(1, len(b)).Draw(t, "piece")
					tell(s.feed(b[:n], at))
					b = b[n:]
				}
				at += rapid.Custom(duration(600*time.Millisecond, away-120*time.Millisecond)).Draw(t, "interval")
				if rapid.Bool().Draw(t, "looked at") {
					tell(s.pass(at))
				}
				if rapid.IntRange(0, 9).Draw(t, "the plug") == 0 {
					tell(s.lose(at))
					at += rapid.Custom(duration(0, time.Minute)).Draw(t, "unplugged")
					s.regain(at)
				}
			}
			at += away + rapid.Custom(duration(time.Millisecond, time.Hour)).Draw(t, "away") // longer than away, not as long
			tell(s.pass(at))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("events (-want +got):\n%s", diff)
		}
	})
}

// duration draws a time between two.
func duration(low, high time.Duration) func(*rapid.T) time.Duration {
	return func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(int64(low), int64(high)).Draw(t, "time"))
	}
}

// TestTwoCardsOnAReader has a reader that sends two cards by turns: each is one event, and no one's sign-out.
func TestTwoCardsOnAReader(t *testing.T) {
	s := newCardStream(shipped(t, "card-line"), 9600, 2*time.Second)
	var got []string
	for i := range 20 {
		at := time.Duration(i) * 300 * time.Millisecond
		for _, c := range slices.Concat(s.feed([]byte(fmt.Sprintf("000%d\r\n", i%2)), at), s.pass(at+100*time.Millisecond)) {
			got = append(got, cardText(c))
		}
	}
	if diff := cmp.Diff([]string{"0000", "0001"}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if all := append(s.feed([]byte("0002\r\n0003\r\n"), time.Hour), s.pass(time.Hour+time.Second)...); len(all) != 1 ||
		all[0].Kind != CardUnread {
		t.Errorf("two cards at once are %+v, want one that is not understood", all)
	}
}

// TestANumberWithoutAnEnd has a reader whose numbers nothing but silence ends: a longer one is none of the shorter ones.
func TestANumberWithoutAnEnd(t *testing.T) {
	p := profileOf(t, "name='x'\ngap='50ms'\n[[frame]]\nkind='card'\nlayout='key*4=30-39'\ncode='text'\n")
	for sent, want := range map[string]string{"1234": "1234", "12345": "unread", "x1234": "unread", "12341234": "1234", "123": ""} {
		s := newCardStream(p, 9600, 2*time.Second)
		got := ""
		for _, c := range append(s.feed([]byte(sent), 0), s.pass(time.Second)...) {
			got += cardText(c)
		}
		if got != want {
			t.Errorf("%q is %q, want %q", sent, got, want)
		}
	}
}

// FuzzCardStream feeds foreign bytes: what is read is what a card's frame may hold, once.
func FuzzCardStream(f *testing.F) {
	f.Add([]byte("0012345678\r\n"), uint16(40))
	f.Add([]byte("\x020A0065ABCD89\r\n\x03"), uint16(3000))
	f.Fuzz(func(t *testing.T, b []byte, gap uint16) {
		for _, name := range []string{"card-line", "card-stx", "card-list", "card-packet", "card-rdm6300"} {
			s := newCardStream(shipped(t, name), 9600, 2*time.Second)
			last, at := make(map[string]time.Duration), time.Duration(0)
			for i, c := range b {
				if i%8 == 0 {
					at += time.Duration(gap) * time.Millisecond
				}
				for _, c := range append(s.feed([]byte{c}, at), s.pass(at)...) {
					if before, ok := last[c.Number]; ok && c.At-before <= 2*time.Second || (c.Kind == CardShown) == (c.Number == "") {
						t.Fatalf("%s: %+v, and before at %s", name, c, before)
					}
					last[c.Number] = c.At
				}
			}
		}
	})
}

// TestReaderThatTypes types numbers as a card reader does that pretends to be a keyboard, loses keys in the middle of one, and
// is unplugged.
func TestReaderThatTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeKeypad()
		opened := 0
		began := time.Now()
		next := cardsOn(t, SerialConfig{Port: "name:reader", Profile: shipped(t, "card-line"),
			Now: func() time.Duration { return time.Since(began) }, Logger: quiet,
			Open: func(string, keypad.Line, func() time.Duration) (Port, error) {
				if opened++; opened > 1 {
					return nil, os.ErrNotExist
				}
				return newTypedPort(f)
			}})
		next("ready")
		types := func(names ...string) { f.types(t, names...) }
		types("NUMLOCK", "0", "0", "KP1", "2", "ENTER")
		next("0012")
		types("0", "0", "1", "2", "ENTER") // it lies there
		f.key(42, evdev.KeyDown)
		types("A")
		f.key(42, evdev.KeyUp)
		types("A", "7", "7", "KPENTER")
		next("Aa77")
		types("0", "0")
		f.events <- []evdev.Event{{Type: evdev.TypeSync, Code: evdev.SyncDropped}, {Type: evdev.TypeKey, Code: 2, Value: evdev.KeyDown},
			{Type: evdev.TypeSync}}
		types("3", "4", "5", "6", "ENTER")
		next("unread")
		close(f.events)
		next("lost")
	})
}

// types types keys by their names, as a card reader does, and pauses after Enter.
func (f *fakeKeypad) types(t *testing.T, names ...string) {
	t.Helper()
	for _, n := range names {
		code, err := evdev.KeyCode("KEY_" + n)
		if err != nil {
			t.Fatal(err)
		}
		f.key(code, evdev.KeyDown)
		f.key(code, evdev.KeyRepeat)
		f.key(code, evdev.KeyUp)
		time.Sleep(3 * time.Millisecond)
	}
	if last := names[len(names)-1]; last == "ENTER" || last == "KPENTER" {
		time.Sleep(700 * time.Millisecond)
	}
}

// TestAReaderThatTypesIsLearnt learns a reader that types a word and two numbers for each card, and reads another card with that.
func TestAReaderThatTypesIsLearnt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, second := newFakeKeypad(), newFakeKeypad()
		plugged := []*fakeKeypad{f, second}
		began := time.Now()
		now := func() time.Duration { return time.Since(began) }
		open := func(string, keypad.Line, func() time.Duration) (Port, error) {
			if len(plugged) == 0 {
				return nil, os.ErrNotExist
			}
			f := plugged[0]
			plugged = plugged[1:]
			return newTypedPort(f)
		}
		ctx, cancel := context.WithCancel(t.Context())
		learner, heard, done := keypad.NewCardLearner(2), make(chan keypad.Heard, 10), make(chan error, 1)
		line := keypad.Line{Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1}
		opened := make(chan struct{})
		go func() {
			done <- Watch(ctx, open, "name:reader", line, now, func() { close(opened) }, func(b []byte, at time.Duration) {
				h, err := learner.Burst(b, at)
				if err != nil {
					t.Error(err)
				}
				heard <- h
			})
		}()
		<-opened
		for _, card := range []string{"0012345678", "0009334109"} {
			keys := append(append([]string{"I", "D"}, strings.Split(card, "")...), "COMMA", "7", "ENTER")
			for _, want := range []keypad.Heard{keypad.Once, keypad.Taken} {
				f.types(t, keys...)
				if got := <-heard; got != want {
					t.Fatalf("the card %s was heard as %d, want %d", card, got, want)
				}
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		l, err := keypad.LearnCards("hall", line, learner.Samples(), "0012345678", 0)
		if err != nil {
			t.Fatal(err)
		}
		next := cardsOn(t, SerialConfig{Port: "name:reader", Profile: l.Profile, Now: now, Logger: quiet, Open: open})
		next("ready")
		second.types(t, "I", "D", "0", "0", "0", "4", "7", "1", "1", "4", "7", "1", "COMMA", "9", "9", "ENTER")
		next("0004711471")
		close(second.events)
		next("lost")
	})
}

// FuzzTypist feeds foreign events: what is typed is text, Enter, or the mark of what was lost.
func FuzzTypist(f *testing.F) {
	f.Add([]byte{1, 0, 2, 0, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var p typist
		for ; len(b) >= 5; b = b[5:] {
			for _, c := range p.step(evdev.Event{Type: uint16(b[0]), Code: uint16(b[1])<<8 | uint16(b[2]), Value: int32(b[3])}) {
				if (c < ' ' || c > '~') && c != '\n' && c != '\t' && c != lostKeys {
					t.Fatalf("%x was typed", c)
				}
			}
		}
	})
}
