package intake

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/cases"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/rating"
)

type oneToken struct{}

func (oneToken) Holder(token string) (cases.Holder, bool) {
	return cases.Holder{Name: "portal", Area: "6201", Doors: cases.Doors()}, token == "secret"
}

// TestAKeyIsForOneRequest sends a request again, which is answered as at first, and others under its key, which are not taken.
func TestAKeyIsForOneRequest(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, rating.Shanghai())
	j, _, _ := journaltest.OpenAt(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db"), func() time.Time { return now })
	h := Handler(Config{Door: cases.Door{Tokens: oneToken{}, Logger: slog.New(slog.DiscardHandler)}, Journal: j})
	ask := func(answers ...string) (int, string) {
		r := httptest.NewRequest("POST", "/v1/answers", strings.NewReader(`{"answers":[`+strings.Join(answers, ",")+`]}`))
		r.Header.Set("Authorization", "Bearer secret")
		r.Header.Set("Idempotency-Key", "k")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	given := now.Add(-time.Minute)
	answer := func(project, rest string, level int) string {
		return fmt.Sprintf(`{"area":"620100","project_no":%q,"level":%d,"channel":"portal","given_at":%q%s}`,
			project, level, given.Format(time.RFC3339), rest)
	}
	first := answer("P", `,"text":"快"`, 5)
	if status, says := ask(first); status != 200 || !strings.Contains(says, `"replayed":false`) {
		t.Fatal(status, says)
	}
	if status, says := ask(first); status != 200 || !strings.Contains(says, `"replayed":true`) {
		t.Errorf("sent again: %d %s", status, says)
	}
	for name, other := range map[string][]string{"case": {answer("Q", `,"text":"快"`, 5)}, "level": {answer("P", `,"text":"快"`, 4)},
		"text": {answer("P", `,"text":"慢"`, 5)}, "no text": {answer("P", "", 5)}, "one more": {first, first}} {
		if status, says := ask(other...); status != 409 || !strings.Contains(says, "未保存") {
			t.Errorf("another %s: %d %s", name, status, says)
		}
	}
	old := strings.Replace(first, given.Format(time.RFC3339), given.AddDate(0, 0, -31).Format(time.RFC3339), 1)
	for says, other := range map[string]string{"30 days": old, "no such case": strings.Replace(first, "620100", "620200", 1),
		`"phone\" is unknown`:  strings.Replace(first, `"portal"`, `"phone"`, 1),
		`"keypad\" is unknown`: strings.Replace(first, `"portal"`, `"keypad"`, 1),
		"no such case is":      strings.Replace(first, `"area":"620100","project_no":"P"`, `"theme":"T"`, 1)} {
		if status, said := ask(other); status != 422 || !strings.Contains(said, says) {
			t.Errorf("%s: %d %s", says, status, said)
		}
	}
	if err := j.Erase(t.Context(), 1, 0, "a person", "asked for"); err != nil {
		t.Fatal(err)
	}
	if status, says := ask(first); status != 200 {
		t.Errorf("sent again after its text was erased: %d %s", status, says)
	}
}
