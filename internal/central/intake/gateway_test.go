package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"haochaping/internal/rating"
)

// TestAnUnreliableGateway: 评价人可通过…回复短信进行评价. Citizens answer what they were sent, a gateway loses, doubles, delays and reorders, and nothing
// is ever bound to another case than was meant, nothing counts twice, and nobody is asked more often than there were requests.
func TestAnUnreliableGateway(t *testing.T) {
	for seed := range uint64(3) {
		x := newExchange(t, seed)
		o := newOffice(t, x.server.URL)
		s := &season{office: o, exchange: x, telephones: make(map[string]map[string]string), meant: make(map[string]rating.Level),
			questions: make(map[string]int)}
		for day := range 14 {
			s.day(day)
		}
		s.check(seed)
	}
}

// season is some days of citizens who are sent messages and reply.
type season struct {
	office     *hotlineOffice
	exchange   *exchange
	telephones map[string]map[string]string // what each number was sent and has not answered: letter to project
	meant      map[string]rating.Level      // by project
	pending    []map[string]string          // replies on their way
	questions  map[string]int
	done       []string // replies that the centre has said to have saved
	n          int
}

func (s *season) day(day int) {
	o, random := s.office, s.exchange.random
	o.set(time.Date(2026, 3, 2+day, 10, 0, 0, 0, rating.Shanghai()))
	o.once()
	s.receive()
	for _, number := range slices.Sorted(maps.Keys(s.telephones)) {
		if random.IntN(4) > 0 {
			s.reply(number)
		}
	}
	s.deliver(random.IntN(3) == 0 || day == 13)
	s.receive() // questions
	for range 4 {
		s.n++
		project, number := fmt.Sprint("P", s.n), fmt.Sprint(13800000000+random.IntN(5))
		s.meant[project] = rating.Level(1 + s.n%5)
		o.complete(project, number)
	}
	o.follow()
}

// receive has telephones show what was sent.
func (s *season) receive() {
	for _, m := range s.exchange.take() {
		if strings.HasPrefix(m["text"], "【") {
			s.questions[m["to"]]++
			continue
		}
		matter, letter, _ := strings.Cut(m["text"], " ")
		if s.telephones[m["to"]] == nil {
			s.telephones[m["to"]] = make(map[string]string)
		}
		s.telephones[m["to"]][letter] = strings.TrimPrefix(matter, "M")
	}
}

// reply has a citizen answer one of the messages: plainly if it is the only one there, else by its letter, or so that nobody can know.
func (s *season) reply(number string) {
	random, shown := s.exchange.random, s.telephones[number]
	letters := slices.Sorted(maps.Keys(shown))
	if len(letters) == 0 {
		return
	}
	letter := letters[random.IntN(len(letters))]
	level := int(s.meant[shown[letter]])
	text := fmt.Sprintf("%s%d。", letter, level)
	id := fmt.Sprintf("r%d", len(s.pending)+1000*len(s.done)+random.IntN(1<<40))
	switch {
	case random.IntN(4) == 0:
		text = "好的"
	case len(letters) == 1 && s.questions[number] == 0: // who was asked once writes the letter
		text = fmt.Sprint(level)
		delete(shown, letter)
	default:
		delete(shown, letter)
	}
	s.pending = append(s.pending, s.office.sms(id, number, text, s.office.now().Add(time.Duration(random.IntN(60))*time.Minute)))
}

// deliver hands on some of the replies, in any order, each once or more.
func (s *season) deliver(all bool) {
	random := s.exchange.random
	random.Shuffle(len(s.pending), func(i, j int) { s.pending[i], s.pending[j] = s.pending[j], s.pending[i] })
	s.office.set(s.office.now().Add(2 * time.Hour))
	var later []map[string]string
	for _, m := range s.pending {
		if !all && random.IntN(3) == 0 {
			later = append(later, m)
			continue
		}
		outcome := ""
		for range 1 + random.IntN(3) {
			status, said := s.office.post("/sms", m)
			if status != 200 || outcome != "" && (said["outcome"] == "saved") != (outcome == "saved") {
				s.office.t.Fatalf("%v: %d %v, and before %s", m, status, said, outcome)
			}
			outcome = said["outcome"].(string)
		}
		if outcome == "saved" {
			s.done = append(s.done, m["id"])
		}
		if random.IntN(5) == 0 {
			later = append(later, m) // it comes again
		}
	}
	s.pending = later
}

func (s *season) check(seed uint64) {
	t := s.office.t
	answered, total := s.office.levels(), 0
	for project, levels := range answered {
		total += len(levels)
		for _, l := range levels {
			if l != s.meant[project] {
				t.Errorf("seed %d: case %s has %v, meant was %d", seed, project, levels, s.meant[project])
			}
		}
	}
	slices.Sort(s.done)
	if want := len(slices.Compact(s.done)); total != want || want < 10 {
		t.Errorf("seed %d: %d answers are in the books, the centre said %d times that one is saved", seed, total, want)
	}
	asked := 0
	for number, n := range s.questions {
		if asked += n; n > s.n {
			t.Errorf("seed %d: %s was asked %d times", seed, number, n)
		}
	}
	if asked == 0 {
		t.Errorf("seed %d: nothing was unclear; the test proves little", seed)
	}
	if strings.Contains(s.office.log.String(), "1380000000") {
		t.Errorf("seed %d: a number is in the log", seed)
	}
}

// TestShortMessages: an unclear one is asked about once, TD stops, and each is bound to what it names.
func TestShortMessages(t *testing.T) {
	x := newExchange(t, 1)
	x.kind = true
	o := newOffice(t, x.server.URL)
	o.complete("P1", "13800000001")
	o.complete("P2", "13800000001")
	o.complete("P3", "13800000003")
	o.complete("P4", "13800000004")
	o.set(o.now().AddDate(0, 0, 1).Add(time.Hour))
	o.once()
	letter := make(map[string]string)
	for _, m := range x.take() {
		matter, l, _ := strings.Cut(m["text"], " ")
		letter[matter] = l
	}
	send := func(id, number, text, want string) {
		t.Helper()
		if status, said := o.post("/sms", o.sms(id, number, text, o.now())); status != 200 || said["outcome"] != want {
			t.Errorf("%q: %d %v, want %s", text, status, said, want)
		}
	}
	send("1", "13800000001", "5", "asked")
	asked := x.take()
	if len(asked) != 1 || !strings.Contains(asked[0]["text"], letter["MP1"]+" MP1") ||
		!strings.Contains(asked[0]["text"], letter["MP2"]+" MP2") {
		t.Errorf("asked %v", asked)
	}
	send("1", "13800000001", "5", "unclear") // again
	send("2", "13800000001", "Ｘ5", "unclear")
	send("3", "13800000001", strings.ToLower(letter["MP2"])+" 不满意 排队太久", "saved")
	send("4", "+8613800000001", "３。", "saved")
	send("5", "13800000009", "5", "unclear") // nobody was asked
	send("6", "13800000003", "TD", "stopped")
	send("8", "13800000004", "4 T", "saved") // both are meant
	if stopped, err := o.deadlines.Stopped(t.Context(), "13800000004"); err != nil || !stopped {
		t.Errorf("a number that has rated and stopped gets more messages, %v", err)
	}
	send("7", "13800000003", "什么", "asked") // and yet nothing is sent to who has stopped
	if left := x.take(); len(left) != 0 {
		t.Errorf("sent %v", left)
	}
	if got := fmt.Sprint(o.levels()); got != "map[P1:[3 基本满意] P2:[2 不满意] P4:[4 满意]]" {
		t.Errorf("levels %s", got)
	}
	for name, m := range map[string]map[string]string{"no id": o.sms("", "13800000001", "5", o.now()),
		"no number": o.sms("8", "", "5", o.now()), "old": o.sms("8", "13800000001", "5", o.now().AddDate(0, 0, -31)),
		"a text as number": o.sms("8", "drop table", "5", o.now())} {
		if status, said := o.post("/sms", m); status != 422 || strings.Contains(fmt.Sprint(said), "1380") {
			t.Errorf("%s: %d %v", name, status, said)
		}
	}
}

// TestKeysOfATelephone: 评价人可通过电话按键…进行评价. A key without a level is none, and where several cases wait the call centre asks.
func TestKeysOfATelephone(t *testing.T) {
	x := newExchange(t, 1)
	x.kind = true
	o := newOffice(t, x.server.URL)
	for i, number := range []string{"13800000001", "13800000001", "13800000002"} {
		o.complete(fmt.Sprint("P", i+1), number)
	}
	o.set(o.now().AddDate(0, 0, 1).Add(time.Hour))
	o.once()
	press := func(id, key string, rest ...string) (int, map[string]any) {
		t.Helper()
		m := map[string]string{"id": id, "key": key, "pressed_at": o.now().Format(time.RFC3339)}
		for i := 0; i < len(rest); i += 2 {
			m[rest[i]] = rest[i+1]
		}
		return o.post("/voice", m)
	}
	for range 2 { // handed on twice
		if status, said := press("c1", "4", "area", "620100", "project_no", "P3"); status != 200 {
			t.Errorf("a case: %d %v", status, said)
		}
	}
	for _, key := range []string{"6", "0", "", "55", "*"} {
		if status, said := press("c2", key, "area", "620100", "project_no", "P3"); status != 422 || said["code"] != "unknown_key" {
			t.Errorf("key %q: %d %v", key, status, said)
		}
	}
	for range 2 {
		status, said := press("c3", "1", "number", "13800000001")
		if waiting, _ := said["waiting"].([]any); status != 409 || len(waiting) != 2 {
			t.Errorf("several wait: %d %v", status, said)
		}
	}
	for range 2 {
		if status, said := press("c3", "1", "number", "13800000001", "letter", "B"); status != 200 {
			t.Errorf("one is named: %d %v", status, said)
		}
	}
	if status, said := press("c4", "2", "number", "13800000001"); status != 200 {
		t.Errorf("one is left: %d %v", status, said)
	}
	if status, said := press("c5", "2", "area", "620200", "project_no", "P3"); status != 422 {
		t.Errorf("another city's: %d %v", status, said)
	}
	if status, said := press("c6", "2"); status != 422 {
		t.Errorf("nobody's: %d %v", status, said)
	}
	if got := fmt.Sprintf("%v %d %d", o.levels()["P3"], len(o.levels()["P1"]), len(o.levels()["P2"])); got != "[2 不满意] 1 1" {
		t.Errorf("levels %s", got)
	}
	o.hotline.Keys = nil
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/voice", strings.NewReader(`{"id":"c","key":"1"}`))
	r.Header.Set("Authorization", "Bearer secret")
	if o.hotline.VoiceHandler().ServeHTTP(w, r); w.Code != 501 {
		t.Errorf("without a map of keys: %d", w.Code)
	}
}

// TestPulledReplies come from a file that grows, is replaced, is read again after a restart, and has lines that cannot be taken.
func TestPulledReplies(t *testing.T) {
	x := newExchange(t, 1)
	x.kind = true
	o := newOffice(t, x.server.URL)
	o.complete("P1", "13800000001")
	o.complete("P2", "13800000002")
	o.set(o.now().AddDate(0, 0, 1).Add(time.Hour))
	o.once()
	path := filepath.Join(t.TempDir(), "replies")
	line := func(id, number, text string) string {
		b, err := json.Marshal(o.sms(id, number, text, o.now()))
		if err != nil {
			t.Fatal(err)
		}
		return string(b) + "\n"
	}
	var log bytes.Buffer
	pull := func() *Pull {
		return &Pull{Path: path, Hotline: o.hotline, Every: time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	}
	p := pull()
	once := func(text string) {
		t.Helper()
		if text != "" {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	once("") // nobody has written
	whole := "\ufeff" + line("1", "13800000001", "4") + "no JSON 13800000001\n" + line("2", "13800000002", "1")
	once(whole[:len(whole)-5])
	if got := fmt.Sprint(o.levels()); got != "map[P1:[4 满意]]" {
		t.Errorf("a line that is not whole: %s", got)
	}
	once(whole)
	p = pull()
	once("")
	once(line("3", "13800000002", "好"))
	if got := fmt.Sprint(o.levels()); got != "map[P1:[4 满意] P2:[1 非常不满意]]" {
		t.Errorf("levels %s", got)
	}
	if says := log.String(); strings.Count(says, "cannot be taken") != 2 || !strings.Contains(says, "line=2") ||
		strings.Contains(says, "1380000") {
		t.Errorf("the log says %s", says)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestCutLetter(t *testing.T) {
	for message, want := range map[string]string{"B5": "B 5", "5b": "B 5", " ｂ　非常满意。": "B 非常满意", "5 B!": "B 5", "非常满意B": "B 非常满意", "5": " 5",
		"B": " B", "OK 5": " OK 5", "5 OK": " 5 OK",
		"B5C": " B5C", "": " ", "TD": " TD"} {
		letter, rest := cutLetter(message)
		if got := letter + " " + rest; got != want {
			t.Errorf("%q: %q, want %q", message, got, want)
		}
	}
}
