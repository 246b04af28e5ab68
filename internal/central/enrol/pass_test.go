package enrol

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"haochaping/internal/boxcode"
	"haochaping/internal/central/db"
	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// inTheCity is a world with the demonstration's organisation, in which a box stands at B01 of the hall SL-H2.
func inTheCity(t *testing.T, database string) *world {
	t.Helper()
	w := worldAt(t, database, time.Date(2026, 3, 2, 9, 0, 0, 0, rating.Shanghai()))
	directorytest.Enter(t, w.directory, "../../../cmd/ratingctl/organisation.csv")
	w.serves(newBox(t, "zzzz23456789"), "SL-H2-B01")
	return w
}

func sqlite(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "journal.db") }

// postgres is the server of all tests here.
var postgres dbtest.Shared

func TestMain(m *testing.M) { os.Exit(postgres.Main(m)) }

// TestOnPostgres does on PostgreSQL what depends on its transactions.
func TestOnPostgres(t *testing.T) {
	for name, do := range map[string]func(*testing.T, *world){"a password": aPassword, "one password": onePassword,
		"a ticket": aTicketInOneMoment, "a replacement": aReplacement, "an acceptance": anAcceptanceInBetween} {
		t.Run(name, func(t *testing.T) { do(t, inTheCity(t, postgres.Database(t))) })
	}
}

// serves enrols a box at a window.
func (w *world) serves(b box, window string) {
	w.t.Helper()
	posts, err := w.directory.Posts(w.t.Context(), directory.DayOf(w.now()))
	if err != nil {
		w.t.Fatal(err)
	}
	at, people, err := posts.Texts(window)
	if err != nil {
		w.t.Fatal(err)
	}
	d := fleet.Device{ID: b.device, Key: b.public, EnrolledAt: w.now(), Window: rating.Window{Generation: 1}}
	if err := w.fleet.Put(w.t.Context(), d.Serve(at, people)); err != nil {
		w.t.Fatal(err)
	}
}

// show asks for a certificate and shows a pass.
func (w *world) show(b box, p Pass) (status int, word Word, code string, body string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"/.well-known/est/simpleenroll",
		strings.NewReader(base64.StdEncoding.EncodeToString(b.request(w.t))))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/pkcs10")
	if p.Serial != "" {
		r.SetBasicAuth(p.Serial, p.Password)
	}
	if len(p.Ticket) > 0 {
		r.Header.Set(TicketHeader, base64.RawURLEncoding.EncodeToString(p.Ticket))
	}
	status, h, body := w.send(r)
	return status, Word(h.Get(PassHeader)), h.Get(CodeHeader), body
}

// send sends a request without a certificate.
func (w *world) send(r *http.Request) (status int, h http.Header, body string) {
	w.t.Helper()
	resp, err := w.client(nil, nil).Do(r)
	if err != nil {
		w.t.Error(err) // also of other goroutines
		return 0, http.Header{}, ""
	}
	return w.read(resp)
}

// shown is show where it must come to a word, with a code.
func (w *world) shown(b box, p Pass, want Word) {
	w.t.Helper()
	if status, word, code, body := w.show(b, p); status != http.StatusAccepted || word != want || len(code) != boxcode.Length {
		w.t.Errorf("it is answered %d, %q and the code %q, want %q: %s", status, word, code, want, body)
	}
}

// letIn is show where it must let the box in, at a window.
func (w *world) letIn(b box, p Pass, window string) *x509.Certificate {
	w.t.Helper()
	status, word, _, body := w.show(b, p)
	if status != http.StatusOK {
		w.t.Fatalf("it is answered %d, %q: %s", status, word, body)
	}
	w.at(b, window)
	return w.bag(body)[0]
}

// at checks at which window a box stands.
func (w *world) at(b box, window string) {
	w.t.Helper()
	d, err := w.fleet.Device(w.t.Context(), b.device)
	if err != nil || d.Window.ID != window || !d.Follows || !bytes.Equal(d.Key, b.public) {
		w.t.Errorf("%s is %+v, %v; want it at %s", b.device, d, err, window)
	}
}

// expect has the centre expect boxes: serial, window and password each.
func (w *world) expect(all ...[3]string) {
	w.t.Helper()
	text := "serial,hall,window,password\n"
	for _, x := range all {
		text += strings.Join([]string{x[0], x[1][:5], x[1], x[2]}, ",") + "\n"
	}
	p, err := w.room.PreviewDelivery(w.t.Context(), []byte(text), 30, func(directory.Record) bool { return true })
	if err != nil || p.Refused() > 0 {
		w.t.Fatalf("the list is refused: %+v, %v", p.Lines, err)
	}
	if err := w.room.db.Write(w.t.Context(), func(tx *db.Tx) error { return Expect(w.t.Context(), tx, p, "li", w.now()) }); err != nil {
		w.t.Fatal(err)
	}
}

// acts returns what the journal has of enrolments, by name and object.
func (w *world) acts() (all []string) {
	w.t.Helper()
	entries, err := w.room.journal.Read(w.t.Context(), 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		if a, err := e.Act(); e.Kind == journal.Acted && err == nil && a.Do != "directory.change" {
			all = append(all, a.Do+" "+a.Object)
		}
	}
	return all
}

const password = "kV7-mQ2x-9Rw4"

func TestABoxByItsPassword(t *testing.T) { aPassword(t, inTheCity(t, sqlite(t))) }

func aPassword(t *testing.T, w *world) {
	w.expect([3]string{"SN-1", "SL-H2-B03", password})
	b, other := newBox(t, "bcdf23456789"), newBox(t, "ghjk23456789")
	w.shown(other, Pass{Serial: "SN-2", Password: password}, Unknown)
	first := w.letIn(b, Pass{Serial: "SN-1", Password: password}, "SL-H2-B03")
	if _, _, _, body := w.show(b, Pass{Serial: "SN-1", Password: password}); !w.bag(body)[0].Equal(first) {
		t.Error("a box that has lost the answer gets another certificate")
	}
	w.shown(other, Pass{Serial: "SN-1", Password: password}, Used)
	err := w.room.db.Write(t.Context(), func(tx *db.Tx) error { _, err := Revoke(t.Context(), tx, b.device, w.now()); return err })
	if err != nil {
		t.Fatal(err)
	}
	w.shown(b, Pass{Serial: "SN-1", Password: password}, "") // people alone let it in again
	if got, want := w.acts(), []string{"enrol.accept bcdf23456789", "enrol.issue bcdf23456789"}; !slices.Equal(got, want) {
		t.Errorf("the journal has %v, want %v", got, want)
	}
	e, err := w.room.ExpectedBox(t.Context(), "SN-1")
	if err != nil || e.Device != b.device || e.Used.IsZero() || strings.Contains(e.hash, password) {
		t.Errorf("the list has %+v, %v", e, err)
	}
}

// TestAPasswordIsNotGuessed tries wrong ones until it must wait, and the right one is heard after that.
func TestAPasswordIsNotGuessed(t *testing.T) {
	w := inTheCity(t, sqlite(t))
	w.expect([3]string{"SN-1", "SL-H2-B03", password}, [3]string{"SN-2", "SL-H2-B04", password + "x"})
	b := newBox(t, "bcdf23456789")
	right := Pass{Serial: "SN-1", Password: password}
	for i := range freeOfSerial + 1 {
		w.shown(b, Pass{Serial: "SN-1", Password: fmt.Sprint("guess-", i)}, Wrong)
	}
	w.shown(b, right, TooSoon)
	w.pass(time.Second)
	w.shown(b, Pass{Serial: "SN-1", Password: "guess"}, Wrong)
	w.pass(time.Second)
	w.shown(b, right, TooSoon) // the pause has doubled
	w.pass(time.Second)
	w.letIn(b, right, "SL-H2-B03")
	guesses := 0
	for _, a := range w.acts() {
		if a == "enrol.guess SN-1" {
			guesses++
		}
	}
	if guesses != freeOfSerial+2 {
		t.Errorf("the journal has %d guesses, want %d", guesses, freeOfSerial+2)
	}
	w.pass(31 * day)
	w.shown(newBox(t, "ghjk23456789"), Pass{Serial: "SN-2", Password: password + "x"}, Ended)
}

// TestAnAddressThatGuesses waits, whatever it shows; another one does not.
func TestAnAddressThatGuesses(t *testing.T) {
	var g guesses
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for range freeOfAddress {
		g.failed("192.0.2.1", now)
	}
	if g.wait("192.0.2.1", freeOfAddress, now) {
		t.Error("it waits while it is free")
	}
	g.failed("192.0.2.1", now)
	if !g.wait("192.0.2.1", freeOfAddress, now) || g.wait("192.0.2.1", freeOfAddress, now.Add(time.Second)) ||
		g.wait("192.0.2.2", freeOfAddress, now) {
		t.Error("it does not wait for a second, or another one does")
	}
	for range 100 {
		g.failed("192.0.2.1", now)
	}
	if !g.wait("192.0.2.1", freeOfAddress, now.Add(longestPause-time.Second)) || g.wait("192.0.2.1", freeOfAddress, now.Add(longestPause)) {
		t.Error("the longest pause is another one")
	}
	for i := range maxGuessers + 10 {
		g.failed(fmt.Sprint(i), now)
	}
	if len(g.all) > maxGuessers || !g.wait("192.0.2.1", freeOfAddress, now) {
		t.Errorf("%d addresses are kept, or the one that guesses is forgotten", len(g.all))
	}
}

// atOnce lets boxes show a pass in the same moment, and returns how many were let in.
func (w *world) atOnce(all []box, p Pass) (in int) {
	w.t.Helper()
	statuses := make([]int, len(all))
	var wait sync.WaitGroup
	for i, b := range all {
		wait.Go(func() { statuses[i], _, _, _ = w.show(b, p) })
	}
	wait.Wait()
	for _, s := range statuses {
		if s == http.StatusOK {
			in++
		}
	}
	return in
}

func newBoxes(t *testing.T, n int) (all []box) {
	t.Helper()
	for i := range n {
		all = append(all, newBox(t, rating.DeviceID(fmt.Sprintf("bcdf2345%04d", i))))
	}
	return all
}

func TestAPasswordLetsInOne(t *testing.T) { onePassword(t, inTheCity(t, sqlite(t))) }

func onePassword(t *testing.T, w *world) {
	w.expect([3]string{"SN-1", "SL-H2-B03", password})
	all := newBoxes(t, 6)
	in := w.atOnce(all, Pass{Serial: "SN-1", Password: password})
	for range 50 { // those that came while another try was under way come again
		if in > 0 {
			break
		}
		in = w.atOnce(all, Pass{Serial: "SN-1", Password: password})
	}
	if in != 1 {
		t.Errorf("%d boxes were let in by one password", in)
	}
}

// ticket makes a ticket for SL-H2.
func (w *world) ticket(first string, uses int, life time.Duration) (Ticket, Pass) {
	w.t.Helper()
	x, err := w.room.NewTicket("SL-H2", first, uses, life, "li")
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.room.db.Write(w.t.Context(), func(tx *db.Tx) error { return MakeTicket(w.t.Context(), tx, x) }); err != nil {
		w.t.Fatal(err)
	}
	return x, Pass{Ticket: w.room.File(x, "甲区政务服务大厅\n第二行")}
}

func (w *world) used(id string) int64 {
	w.t.Helper()
	x, err := w.room.Ticket(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return x.Used
}
