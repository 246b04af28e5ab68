package books

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/central/journal"
	"haochaping/internal/proof/simulation"
	"haochaping/internal/rating"
)

const (
	box   = rating.DeviceID("box-1")
	epoch = rating.Epoch(7)
)

func noon() time.Time { return time.UnixMilli(1_790_000_000_000) }

func hallWindow() rating.Window {
	return rating.Window{ID: "w1", Name: "1号窗口", Hall: "市民中心", Generation: 1}
}

// fatal is what of a test a helper needs.
type fatal interface {
	Helper()
	Fatalf(string, ...any)
}

// world is a journal and books on one engine.
type world struct {
	journalDB, booksDB *db.DB
	journal            *journal.Journal
	books              *Books
	projector          *projector
	now                time.Time // the centre's
	from               int64     // cursor of the last evaluation that a test does not ask about
	plained            int64     // rows of a benchmark's yardstick
}

// few is how many histories the short form plays where brief says so.
const few = 8

// brief reports whether few histories are to be played here: on PostgreSQL each takes longer, the rules are the same that many play on
// SQLite, and the engine shows in a few.
func (w *world) brief() bool { return w.booksDB.Engine() == db.Postgres && !simulation.Long() }

// engine runs a test in new worlds of one engine.
type engine func(t *testing.T, test func(t *testing.T, open func(testing.TB) *world))

// TestBooks runs the contract of the books on SQLite and on PostgreSQL.
func TestBooks(t *testing.T) {
	contract := map[string]func(*testing.T, engine){
		"HowRowsShareTransactionsNeverShows":     checkHowRowsShareTransactionsNeverShows,
		"ALateEvaluationWithAnEarlyTime":         checkALateEvaluationWithAnEarlyTime,
		"ACorrectionDisplacesNothing":            checkACorrectionDisplacesNothing,
		"ALieAboutALongStart":                    checkALieAboutALongStart,
		"ALateAnswerByAChannel":                  checkALateAnswerByAChannel,
		"FindingsAreBounded":                     checkFindingsAreBounded,
		"FindingsOfManyLogs":                     checkFindingsOfManyLogs,
		"GapsBeyondTheList":                      checkGapsBeyondTheList,
		"ManyStarts":                             checkManyStarts,
		"WhatIsDecidedTogetherIsBounded":         checkWhatIsDecidedTogetherIsBounded,
		"ABatchHasAnEnd":                         checkABatchHasAnEnd,
		"UnratedCases":                           checkUnratedCases,
		"ARebuildMakesTheSameBooks":              checkARebuildMakesTheSameBooks,
		"ARebuildGoesOnWhereItWas":               checkARebuildGoesOnWhereItWas,
		"BooksOfAFormerSchemaAreReplaced":        checkBooksOfAFormerSchemaAreReplaced,
		"TheFeedSaysWhatARebuildChanges":         checkTheFeedSaysWhatARebuildChanges,
		"VerifyFindsWhatWasChanged":              checkVerifyFindsWhatWasChanged,
		"TwoInstances":                           checkTwoInstances,
		"BooksFollowBesideBoxesThatWait":         checkBooksFollowBesideBoxesThatWait,
		"Logs":                                   checkLogs,
		"ACopyIsOneFinding":                      checkACopyIsOneFinding,
		"AForkThatLacksItsPredecessor":           checkAForkThatLacksItsPredecessor,
		"BooksDecideAsTheHistoryDoes":            checkBooksDecideAsTheHistoryDoes,
		"BatchTwiceIsInTheBooksOnce":             checkBatchTwiceIsInTheBooksOnce,
		"AHoleIsWaitedForUnlessTheBoxHasLetItGo": checkAHoleIsWaitedForUnlessTheBoxHasLetItGo,
		"ForksAndBrokenChainsAreFound":           checkForksAndBrokenChainsAreFound,
		"WhatCannotBeReadIsQuarantined":          checkWhatCannotBeReadIsQuarantined,
		"TheEarliestCountsWhateverComesFirst":    checkTheEarliestCountsWhateverComesFirst,
		"AVisitIsOpenedOnce":                     checkAVisitIsOpenedOnce,
		"WhatASendingHasComeTo":                  checkWhatASendingHasComeTo,
		"AText":                                  checkAText,
		"WhatNoAnswerCouldCountFor":              checkWhatNoAnswerCouldCountFor,
		"AnAnswerThatLeavesACase":                checkAnAnswerThatLeavesACase,
		"RatedIsWhatALaterAnswerCannotCountFor":  checkRatedIsWhatALaterAnswerCannotCountFor,
		"AVisitIsReadAtOneMoment":                checkAVisitIsReadAtOneMoment,
		"Wait":                                   checkWait,
		"Salvaged":                               checkSalvaged,
		"SalvagedOfOthersIsQuarantined":          checkSalvagedOfOthersIsQuarantined,
		"TimesAreCorrectedLater":                 checkTimesAreCorrectedLater,
		"APhoneAgainstACorrectedPress":           checkAPhoneAgainstACorrectedPress,
		"EqualNumbersOfTwoCities":                checkEqualNumbersOfTwoCities,
		"AnAnswerWaitsForTheCompletion":          checkAnAnswerWaitsForTheCompletion,
		"SilenceAndLateAnswers":                  checkSilenceAndLateAnswers,
		"ADefaultFallsWithALaterCompletion":      checkADefaultFallsWithALaterCompletion,
		"WhatContradictsIsAFinding":              checkWhatContradictsIsAFinding,
		"AWindowWithoutABox":                     checkAWindowWithoutABox,
		"ASearchFindsWhatFits":                   checkASearchFindsWhatFits,
		"WhatAVisitSaysLaterIsFound":             checkWhatAVisitSaysLaterIsFound,
		"AnEvaluationWithItsRivals":              checkAnEvaluationWithItsRivals,
		"OpenVisitsRatedByPhone":                 checkOpenVisitsRatedByPhone,
		"ABoxThatWasReplaced":                    checkABoxThatWasReplaced,
	}
	run := func(t *testing.T, on engine) {
		for _, name := range slices.Sorted(maps.Keys(contract)) {
			t.Run(name, func(t *testing.T) { contract[name](t, on) })
		}
	}
	t.Run("sqlite", func(t *testing.T) { run(t, onSQLite) })
	t.Run("postgres", func(t *testing.T) { run(t, onPostgres(t)) })
}

func onSQLite(t *testing.T, test func(t *testing.T, open func(testing.TB) *world)) {
	t.Helper()
	test(t, func(t testing.TB) *world {
		dir := t.TempDir()
		return newWorld(t, "sqlite:"+filepath.Join(dir, "journal.db"), "sqlite:"+filepath.Join(dir, "books.db"))
	})
}

// onPostgres starts a server and returns how to run tests on it.
func onPostgres(t *testing.T) engine {
	t.Helper()
	server := dbtest.StartPostgres(t)
	return func(t *testing.T, test func(t *testing.T, open func(testing.TB) *world)) {
		t.Helper()
		test(t, func(t testing.TB) *world {
			url := server.Database(t)
			return newWorld(t, url, url)
		})
	}
}

func newWorld(t testing.TB, journalURL, booksURL string) *world {
	t.Helper()
	w := &world{now: noon()}
	ctx, stop := context.WithCancel(context.Background())
	open := func(url string) *db.DB {
		d, err := db.Open(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	w.journalDB = open(journalURL)
	w.booksDB = w.journalDB
	if booksURL != journalURL {
		w.booksDB = open(booksURL)
	}
	var err error
	now := func() time.Time { return w.now }
	w.journal, err = journal.Open(ctx, journal.Config{DB: w.journalDB, Secret: make([]byte, 32), Random: rand.NewChaCha8([32]byte{}),
		Now:    now,
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- w.journal.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = w.journalDB.Close()
		_ = w.booksDB.Close()
	})
	w.books, err = Open(ctx, Config{DB: w.booksDB, Journal: w.journal, Holder: "here", Now: now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w.projector = &projector{b: w.books}
	return w
}

// enter appends a row and makes the books of it.
func (w *world) enter(t fatal, e journal.Entry) journal.Receipt {
	t.Helper()
	r := w.append(t, e)
	w.follow(t)
	return r
}

func (w *world) append(t fatal, e journal.Entry) journal.Receipt {
	t.Helper()
	if e.Received == 0 {
		e.Received = w.now.UnixMilli()
	}
	r, err := w.journal.Append(context.Background(), e, nil)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return r
}

func (w *world) follow(t fatal) {
	t.Helper()
	if _, err := w.projector.follow(context.Background(), false); err != nil {
		t.Fatalf("project: %v", err)
	}
}

// rate enters a rating by phone at a moment.
func (w *world) rate(t fatal, name string, when time.Time, answers ...rating.Evaluation) []Answer {
	t.Helper()
	r, err := w.journal.Rate(context.Background(), journal.Rating{Device: box, Name: name, Received: when.UnixMilli(), Answers: answers})
	if err != nil {
		t.Fatalf("rate: %v", err)
	}
	w.follow(t)
	got, err := w.books.Answers(context.Background(), r.Pos)
	if err != nil {
		t.Fatalf("answers: %v", err)
	}
	return got
}

// chain is a box's log in memory.
type chain struct {
	device  rating.DeviceID
	epoch   rating.Epoch
	records [][]byte
	head    rating.Hash
	first   uint64 // seq of the record before the first of records
}

func newChain() *chain { return chainOf(box, epoch) }

func chainOf(d rating.DeviceID, e rating.Epoch) *chain {
	return &chain{device: d, epoch: e, head: rating.Genesis(d, e)}
}

func (c *chain) append(t fatal, bodies ...rating.Body) (seq uint64) {
	t.Helper()
	for _, b := range bodies {
		seq = c.first + uint64(len(c.records)) + 1
		raw, err := rating.Record{V: 1, Device: c.device, Epoch: c.epoch, Seq: seq, Prev: c.head, Body: b}.Encode()
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		c.records, c.head = append(c.records, raw), rating.HashOf(raw)
	}
	return seq
}

// batch returns the records from first to last.
func (c *chain) batch(first, last int, released uint64) journal.Entry {
	return journal.Entry{Kind: journal.Batch, Source: string(c.device), Epoch: c.epoch, First: uint64(first), Released: released,
		Parts: c.records[first-1 : last]}
}

func (c *chain) all() journal.Entry { return c.batch(1, len(c.records), 0) }

func at(ms int64) rating.Stamp {
	return rating.Stamp{Boot: 1, Mono: ms, Wall: noon().UnixMilli() + ms, Synced: true}
}

func press(ms int64, v rating.VisitID, l rating.Level, replaces uint64) rating.Body {
	return rating.EvaluationBody(at(ms), rating.Evaluation{Visit: v, Subject: rating.StaffSubject, Level: l, Channel: rating.Keypad,
		Replaces: replaces})
}

func opened(ms int64, id rating.VisitID) rating.Body {
	return rating.VisitBody(at(ms), rating.Visit{ID: id, Window: hallWindow(), Grouping: rating.Single,
		Subjects: []rating.Subject{rating.StaffSubject},
		Opener:   rating.OpenedByPC, WaitSec: 60, Staff: rating.Staff{ID: "0417"}})
}

func byPhone(v rating.VisitID, l rating.Level) rating.Evaluation {
	return rating.Evaluation{Visit: v, Subject: rating.StaffSubject, Level: l, Channel: rating.Phone}
}

// statuses lists the evaluations as level and status, in the order of arrival.
func (w *world) statuses(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, e := range w.since(t) {
		all = append(all, e.Level.Chinese()+" "+string(e.Status))
	}
	return all
}

func (w *world) since(t fatal) []Entry {
	t.Helper()
	entries, err := w.books.Since(context.Background(), w.from, 1_000_000)
	if err != nil {
		t.Fatalf("since: %v", err)
	}
	return entries
}

// forget has a test not asked about the evaluations so far.
func (w *world) forget(t fatal) {
	t.Helper()
	all, err := w.books.Latest(context.Background(), 1)
	if err != nil {
		t.Fatalf("latest: %v", err)
	}
	for _, e := range all {
		w.from = e.Cursor
	}
}

func (w *world) findings(t fatal) []Finding {
	t.Helper()
	all, err := w.books.Findings(context.Background(), Filter{Limit: 100_000})
	if err != nil {
		t.Fatalf("findings: %v", err)
	}
	return all
}

func (w *world) kinds(t fatal) []string {
	t.Helper()
	var all []string
	for _, f := range w.findings(t) {
		all = append(all, string(f.Kind))
	}
	slices.Sort(all)
	return all
}

func (w *world) context() context.Context { return context.Background() }

// spans returns the starts of the first log.
func (w *world) spans(tab tables) (all []*span, err error) {
	err = w.booksDB.Read(w.context(), func(tx *db.Tx) error {
		all, err = reader{tx, tab, w.journal}.spans(w.context(), 1, 0, false, 1_000_000)
		return err
	})
	return all, err
}
