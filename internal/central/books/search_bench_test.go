package books

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/rating"
)

const benchBoxes = 1000

func benchPost(n int) Post {
	return Post{Device: rating.DeviceID(fmt.Sprintf("bx-%04d", n)), Generation: 1, Window: fmt.Sprintf("w-%04d", n)}
}

// seed fills the tables with evaluations of two years, without a journal: 1,000 windows, 3,000 staff, 500 matters.
func (w *world) seed(b testing.TB, evaluations int) {
	b.Helper()
	ctx, t := context.Background(), newTables(w.booksDB.Engine(), 1)
	by := rand.New(rand.NewPCG(5, 6))
	write := func(table string, rows [][]any) {
		b.Helper()
		if err := w.booksDB.Write(ctx, func(tx *db.Tx) error { return tx.Insert(ctx, t.name(table), columns(table), rows) }); err != nil {
			b.Fatal(err)
		}
	}
	var devices, logs [][]any
	for n := range benchBoxes {
		devices = append(devices, []any{int64(n + 1), string(benchPost(n).Device), int64(1), int64(1), ""})
		logs = append(logs, []any{int64(n + 1), int64(n + 1), int64(7), 1, 0, 0, 1, 0, 1, 1, 0, 1, 1, nil, make([]byte, 32)})
	}
	write("device", devices)
	write("log", logs)
	step := int64(2*365*86_400_000) / int64(evaluations)
	const part = 20_000
	for done := 0; done < evaluations; done += part {
		var visits, rows [][]any
		for i := done; i < min(evaluations, done+part); i++ {
			n, id, wall := by.IntN(benchBoxes), int64(i+1)<<partBits, noon().UnixMilli()+int64(i)*step
			task := fmt.Sprintf("t-%03d", by.IntN(500))
			v := rating.Visit{ID: rating.VisitID(i + 1), Opener: rating.OpenedByPC, Grouping: rating.Single, WaitSec: 60,
				Subjects: []rating.Subject{rating.MatterSubject},
				Window:   rating.Window{ID: benchPost(n).Window, Name: "综合受理12号窗口", Hall: "市民中心政务服务大厅", Generation: 1},
				Staff:    rating.Staff{ID: fmt.Sprintf("s-%04d", 3*n+by.IntN(3)), Name: "王丽"},
				Cases:    []rating.Case{{ProjectNo: fmt.Sprintf("6201%09d", i), TaskCode: task, TaskName: "居民身份证换领", Completed: true}}}
			text, err := json.Marshal(v)
			if err != nil {
				b.Fatal(err)
			}
			level, channel, texts := 5, 1, int64(0)
			switch p := by.IntN(100); {
			case p < 1:
				level = 1
			case p < 3:
				level = 2
			case p < 10:
				level = 4
			}
			if by.IntN(7) == 0 {
				channel, texts = 2, flag(by.IntN(10) == 0)
			}
			visits = append(visits, []any{int64(i + 1), int64(i + 1), int64(n + 1), wall, wall, string(text), "", int64(0), ""})
			rows = append(rows, []any{id, int64(i + 1), int64(n + 1), int64(i + 1), subjectNumber(rating.MatterSubject), "", level, channel, 0, 1,
				int64(i), wall, 2, wall, 1, "", 0, "", "", 0, texts,
				wall, benchPost(n).hash(), shortHash(v.Staff.ID), taskBits(task) | taskBits("居民身份证换领")})
		}
		write("visit", visits)
		write("evaluation", rows)
	}
}

// asked is a search that people make.
type asked struct {
	name  string
	q     Search
	tally bool // the search's time and place are counted, as the home page does
}

func benchSearches(from time.Time) []asked {
	within := func(first, n int) Within {
		w := Within{Some: true}
		for i := range n {
			w.Stays = append(w.Stays, Stay{Post: benchPost(first + i)})
		}
		return w
	}
	return []asked{
		{"everything", Search{}, false}, {"one hall", Search{Within: within(40, 10)}, false}, {"a county", Search{Within: within(0, 150)}, false},
		{"a city", Search{Within: within(0, 400)}, false},
		{"poor ones of a county", Search{Within: within(0, 150), Levels: []rating.Level{1, 2}}, false},
		{"with a text in a hall", Search{Within: within(40, 10), Text: true}, false},
		{"one of the staff in a city", Search{Within: within(0, 400), Staff: "s-0300"}, false},
		{"a matter in a hall", Search{Within: within(40, 10), Task: "t-007"}, false},
		{"a matter in a month", Search{Task: "t-007", From: from, To: from.AddDate(0, 1, 0)}, false},
		{"by phone in a county", Search{Within: within(0, 150), Channels: []rating.Channel{rating.Phone}}, false},
		{"what nothing is", Search{Standings: []rating.Standing{rating.Late}}, false},
		{"what nothing is in a hall", Search{Within: within(40, 10), Staff: "nobody"}, false},
		{"a day of a county, counted", Search{Within: within(0, 150), From: from, To: from.AddDate(0, 0, 1)}, true},
		{"a day of all, counted", Search{From: from, To: from.AddDate(0, 0, 1)}, true},
	}
}

// TestSeedOfSearches holds the measured tables to those that the books have.
func TestSeedOfSearches(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, "sqlite:"+filepath.Join(dir, "journal.db"), "sqlite:"+filepath.Join(dir, "books.db"))
	w.seed(t, 200)
	found, err := w.books.Search(context.Background(), Search{Levels: []rating.Level{5}}, Cursor{}, 50)
	if err != nil || len(found.Entries) != 50 || found.Entries[0].Status != rating.Counted {
		t.Fatalf("the good ones of the seed are not found: %+v, %v", found, err)
	}
}

// BenchmarkSearch lets ten people at once search, and count a day for the home page, in as many evaluations as HCP_EVALUATIONS says, on
// both engines, and prints the times of each kind.
func BenchmarkSearch(b *testing.B) {
	evaluations := 100_000
	if n, err := strconv.Atoi(os.Getenv("HCP_EVALUATIONS")); err == nil {
		evaluations = n
	}
	b.Run("sqlite", func(b *testing.B) {
		dir := b.TempDir()
		searchAtOnce(b, newWorld(b, "sqlite:"+filepath.Join(dir, "journal.db"), "sqlite:"+filepath.Join(dir, "books.db")), evaluations)
	})
	b.Run("postgres", func(b *testing.B) {
		url := dbtest.StartPostgres(b).Database(b)
		searchAtOnce(b, newWorld(b, url, url), evaluations)
	})
}

// searchAtOnce fills the books and lets ten people ask them.
func searchAtOnce(b *testing.B, w *world, evaluations int) {
	w.seed(b, evaluations)
	tidy := "ANALYZE"
	if w.booksDB.Engine() == db.Postgres {
		tidy = "VACUUM ANALYZE" // as the server does by itself within minutes
	}
	if _, err := db.Query(context.Background(), w.booksDB, func(db.Scanner) (int, error) { return 0, nil }, tidy); err != nil {
		b.Fatal(err)
	}
	askAtOnce(b, w, evaluations)
}

// askAtOnce lets ten people search at once, and prints the times of each kind.
func askAtOnce(b *testing.B, w *world, evaluations int) {
	from := noon().AddDate(1, 0, 0)
	kinds := benchSearches(from)
	ask := func(k asked) {
		var err error
		if k.tally {
			_, err = w.books.Tally(context.Background(), k.q.From, k.q.To, k.q.Within, Within{})
		} else {
			_, err = w.books.Search(context.Background(), k.q, Cursor{}, 50)
		}
		if err != nil {
			b.Error(err)
		}
	}
	var mu sync.Mutex
	took := make(map[string][]time.Duration)
	before, searched := processor(b), 0
	for b.Loop() {
		searched += 10 * 2 * len(kinds)
		var people sync.WaitGroup
		for n := range 10 {
			people.Go(func() {
				for i := range 2 * len(kinds) {
					k := kinds[(i+n)%len(kinds)]
					began := time.Now()
					ask(k)
					d := time.Since(began)
					mu.Lock()
					took[k.name] = append(took[k.name], d)
					mu.Unlock()
				}
			})
		}
		people.Wait()
	}
	fmt.Printf("%s, %d evaluations, ten people at once: %s of this program's processor time each\n", w.booksDB.Engine(), evaluations,
		((processor(b) - before) / time.Duration(searched)).Round(100*time.Microsecond))
	fmt.Printf("%-28s %10s %10s %10s %10s\n", "", "processor", "alone", "median", "p95")
	for _, k := range kinds {
		all := took[k.name]
		slices.Sort(all)
		before, began := processor(b), time.Now()
		ask(k)
		fmt.Printf("%-28s %10s %10s %10s %10s\n", k.name, (processor(b) - before).Round(100*time.Microsecond),
			time.Since(began).Round(100*time.Microsecond),
			all[len(all)/2].Round(100*time.Microsecond), all[len(all)*95/100].Round(100*time.Microsecond))
	}
}

// processor returns how long this program has computed.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
