package rectify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/books/bookstest"
	"haochaping/internal/central/db"
	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/rating"
)

const (
	area   = "629900000000"
	police = "116299003MB003333Y"
	office = "116299002MB002222J"
)

// bureau is a journal, books that follow it, and orders at a time of the test's choice.
type bureau struct {
	journal   *journal.Journal
	db        *db.DB
	books     *books.Books
	directory *directory.Directory
	orders    *Orders
	terms     Terms

	mu    sync.Mutex
	ahead time.Duration // guarded by mu; of the machine's clock
	told  int
	stop  func() // ends the books that are followed
}

func (b *bureau) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Add(b.ahead)
}

func (b *bureau) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ahead += d
}

// engine makes an empty bureau.
type engine func(testing.TB) *bureau

// TestOrders runs the contract of the room on SQLite and on PostgreSQL.
func TestOrders(t *testing.T) {
	contract := map[string]func(*testing.T, engine){
		"ABadRatingOpensOneOrder":       checkABadRatingOpensOneOrder,
		"WhatAReviewRefuses":            checkWhatAReviewRefuses,
		"AReviewRefusesForOneUnit":      checkAReviewRefusesForOneUnit,
		"ACorrectionOpensNone":          checkACorrectionOpensNone,
		"AnEarlierOneThatArrivesLate":   checkAnEarlierOneThatArrivesLate,
		"AThemeHasAPartForEachUnit":     checkAThemeHasAPartForEachUnit,
		"AThemeOfManyUnits":             checkAThemeOfManyUnits,
		"TwoOfficersAtOneOrder":         checkTwoOfficersAtOneOrder,
		"TwoInstances":                  checkTwoInstances,
		"TheTablesAreMadeAnew":          checkTheTablesAreMadeAnew,
		"BooksMadeFromNothing":          checkBooksMadeFromNothing,
		"WordsStandApart":               checkWordsStandApart,
		"WhatIsDueFirst":                checkWhatIsDueFirst,
		"OneOrderForEachThatCounts":     checkOneOrderForEachThatCounts,
		"WhatCameBeforeOpensNone":       checkWhatCameBeforeOpensNone,
		"ACalendarThatBecomesKnown":     checkACalendarThatBecomesKnown,
		"ABackupHasTheOrders":           checkABackupHasTheOrders,
		"MovedToAUnitThatThereIs":       checkMovedToAUnitThatThereIs,
		"AnExtensionIsAskedForInTime":   checkAnExtensionIsAskedForInTime,
		"NobodyDoesWhatTheBooksDecided": checkNobodyDoesWhatTheBooksDecided,
		"AComplaintOpensOneOrder":       checkAComplaintOpensOneOrder,
		"WhatIsNoComplaint":             checkWhatIsNoComplaint,
		"RetaliationIsAClue":            checkRetaliationIsAClue,
		"ATemplateIsEdited":             checkATemplateIsEdited,
		"TheBoard":                      checkTheBoard,
		"Search":                        checkSearch,
		"WhatAnEarlierVersionKept":      checkWhatAnEarlierVersionKept,
		"Attachments":                   checkAttachments,
		"TheHook":                       checkTheHook,
		"TheHooksLease":                 checkTheHooksLease,
		"AReferralIsUnseen":             checkAReferralIsUnseen,
		"AFollowUpByMessage":            checkAFollowUpByMessage,
		"WhatIsNotSent":                 checkWhatIsNotSent,
		"ACitizenIsTold":                checkACitizenIsTold,
		"TwoInstancesWrite":             checkTwoInstancesWrite,
		"AMessageThatWasLost":           checkAMessageThatWasLost,
		"ACitizenAppeals":               checkACitizenAppeals,
	}
	run := func(t *testing.T, on engine) {
		for _, name := range slices.Sorted(maps.Keys(contract)) {
			t.Run(name, func(t *testing.T) { contract[name](t, on) })
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		run(t, func(t testing.TB) *bureau {
			dir := t.TempDir()
			return newBureau(t, "sqlite:"+filepath.Join(dir, "journal.db"), "sqlite:"+filepath.Join(dir, "books.db"))
		})
	})
	t.Run("postgres", func(t *testing.T) {
		server := dbtest.StartPostgres(t)
		// What the machine and the clocks do is the same on both.
		maps.DeleteFunc(contract, func(name string, _ func(*testing.T, engine)) bool {
			return !slices.Contains([]string{"ABadRatingOpensOneOrder", "TwoOfficersAtOneOrder", "TwoInstances", "TheTablesAreMadeAnew",
				"WhatIsDueFirst",
				"OneOrderForEachThatCounts", "ABackupHasTheOrders", "AComplaintOpensOneOrder", "RetaliationIsAClue", "TheBoard", "Search",
				"WhatAnEarlierVersionKept",
				"Attachments", "TheHook", "AFollowUpByMessage", "TwoInstancesWrite"}, name)
		})
		run(t, func(t testing.TB) *bureau {
			url := server.Database(t)
			return newBureau(t, url, url)
		})
	})
}

func newBureau(t testing.TB, journalAt, booksAt string) *bureau {
	t.Helper()
	b := &bureau{terms: Terms{Calendar: everyYear(t), Contact: 1, Office: 5}}
	b.journal, b.db, _ = journaltest.Open(t, journalAt)
	var err error
	if b.directory, err = directory.Open(t.Context(), b.journal); err != nil {
		t.Fatal(err)
	}
	directorytest.Enter(t, b.directory, "../../../cmd/ratingctl/organisation.csv")
	b.follow(t, booksAt)
	if err := b.orders.Once(t.Context()); err != nil { // decisions are followed before the first rating
		t.Fatal(err)
	}
	return b
}

// everyYear returns the calendar, also of the years to come: the test runs by the machine's clock.
func everyYear(t testing.TB) rating.Calendar {
	t.Helper()
	notices, err := rating.BuiltInNotices()
	if err != nil {
		t.Fatal(err)
	}
	for year := 2027; year < 2060; year++ {
		notices = append(notices, rating.Notice{Year: year, Source: "a test's"})
	}
	c, err := rating.NewCalendar(notices...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// follow opens books at an address, which follow the journal until the test ends, and orders that follow them.
func (b *bureau) follow(t testing.TB, booksAt string) {
	t.Helper()
	b.books, b.stop = bookstest.Follow(t, b.journal, booksAt)
	b.orders = b.open(t, "here")
}

// open returns the orders as an instance opens them.
func (b *bureau) open(t testing.TB, holder string) *Orders {
	t.Helper()
	o, err := Open(t.Context(), Config{Journal: b.journal, Books: b.books, Directory: b.directory, Terms: b.terms, Holder: holder, Now: b.now,
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// fails is what of a test, or of a draw of rapid's, a helper needs.
type fails interface {
	Helper()
	Fatalf(string, ...any)
}

// wait returns when the books are at the journal's end.
func (b *bureau) wait(t fails) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	head, err := b.journal.Head(ctx)
	if err == nil {
		err = b.books.Wait(ctx, head)
	}
	if err != nil {
		t.Fatalf("wait for the books: %v", err)
	}
}

// once follows the feed to its end, when nothing can be corrected any more.
func (b *bureau) once(t fails) {
	t.Helper()
	b.wait(t)
	b.pass(settled)
	if err := b.orders.Once(context.Background()); err != nil {
		t.Fatalf("follow the decisions: %v", err)
	}
}

// complete tells of a case that is completed.
func (b *bureau) complete(t fails, project, unit, theme, contact string) {
	t.Helper()
	b.told++
	now := time.Now().UnixMilli()
	f := rating.CaseFact{Area: area, ProjectNo: project, TaskCode: "11620100MB01", TaskName: "身份证补领", Unit: unit, Theme: theme, AsOf: now,
		CompletedAt: now - 3600_000}
	if _, err := b.journal.Tell(context.Background(), "business", fmt.Sprint(b.told),
		[]journal.Fact{{Fact: f, Contact: contact}}); err != nil {
		t.Fatalf("tell of case %s: %v", project, err)
	}
}

// answer has a case answered, minutes after its completion, and returns the evaluation.
func (b *bureau) answer(t fails, project string, level rating.Level, minute int) int64 {
	t.Helper()
	return b.say(t, journal.Answer{Case: rating.CaseKey{Area: area, Project: project}, Level: level, Channel: rating.Voice,
		At: time.Now().UnixMilli() - 3600_000 + int64(minute)*60_000})
}

func (b *bureau) say(t fails, a journal.Answer) int64 {
	t.Helper()
	b.told++
	if a.At == 0 {
		a.At = time.Now().UnixMilli() - 1000
	}
	r, err := b.journal.Answer(context.Background(), "hotline", fmt.Sprint(b.told), []journal.Answer{a}, nil)
	if err != nil {
		t.Fatalf("answer: %v", err)
	}
	return r.Pos << 9
}

// order returns the order on an evaluation.
func (b *bureau) order(t fails, evaluation int64) Order {
	t.Helper()
	x, err := b.orders.Of(context.Background(), evaluation)
	if err != nil {
		t.Fatalf("the order on evaluation %d: %v", evaluation, err)
	}
	return x
}

func (b *bureau) none(t testing.TB, evaluation int64) {
	t.Helper()
	if x, err := b.orders.Of(t.Context(), evaluation); !errors.Is(err, ErrNoOrder) {
		t.Fatalf("evaluation %d has an order: %+v, %v", evaluation, x, err)
	}
}

// do does some deeds about the first part of an order, one after the other.
func (b *bureau) do(t testing.TB, evaluation int64, deeds ...Deed) Kept {
	t.Helper()
	k := b.order(t, evaluation).Parts[0]
	for _, d := range deeds {
		var err error
		if k, err = b.orders.Do(t.Context(), By{"a-1", "s-1"}, k, choosing(Event{Do: d, Days: 10}), "已电话沟通"); err != nil {
			t.Fatalf("%s: %v", d, err)
		}
	}
	return k
}

// choosing returns an event with what has to be chosen of it.
func choosing(e Event) Event {
	if all := e.Do.Methods(); len(all) > 0 {
		e.Method = all[0]
	}
	if all := e.Do.Results(); len(all) > 0 {
		e.Result = all[0]
	}
	if e.Do == Appeal {
		e.Side = OfCitizen
	}
	return e
}

// opened returns how many acts of the journal have opened orders.
func (b *bureau) opened(t fails) map[string]int {
	t.Helper()
	all, err := db.Query(context.Background(), b.db, func(s db.Scanner) (pos int64, err error) { return pos, s.Scan(&pos) },
		"SELECT pos FROM entry WHERE Source = $1 AND kind = $2", Source, string(journal.Acted))
	if err != nil {
		t.Fatalf("read the acts: %v", err)
	}
	many := make(map[string]int)
	for _, pos := range all {
		e, err := b.journal.Entry(context.Background(), pos)
		if err != nil {
			t.Fatalf("read row %d: %v", pos, err)
		}
		a, err := e.Act()
		if err != nil {
			t.Fatalf("read row %d: %v", pos, err)
		}
		if a.Do == opens {
			id, _, _ := strings.Cut(string(a.Data), ",")
			many[id]++
		}
	}
	return many
}
