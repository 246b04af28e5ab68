package cases

import (
	"fmt"
	"strings"
	"testing"

	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// TestTheTaskOfABatch: a batch is of one task by its other cases, and what was so before is held against nothing that says nothing of it.
func TestTheTaskOfABatch(t *testing.T) {
	o := newOffice(t)
	fact := func(project, hour, more string) string {
		return `{"area":"620100","project_no":"` + project + `","as_of":"2026-03-02T` + hour + `:00:00+08:00",` + more + `}`
	}
	in := func(batch, task string) string { return `"batch":"` + batch + `","task_code":"` + task + `"` }
	const completed, corrects = `"completed_at":"2026-03-02T09:00:00+08:00"`, `,"corrects":true`
	// Two tasks of one batch, as a door wrote them that did not compare.
	var old []journal.Fact
	for project, task := range map[string]string{"O1": "t1", "O2": "t2"} {
		old = append(old, journal.Fact{Fact: rating.CaseFact{Area: "620100000000", ProjectNo: project, TaskCode: task, Batch: "old",
			AsOf: 1_772_000_000_000}})
	}
	if _, err := o.journal.Tell(t.Context(), "before", "0", old); err != nil {
		t.Fatal(err)
	}
	o.follow(t)
	for i, step := range []struct {
		what, body string
		status     int
		says       string
	}{
		{"a batch of one", body(fact("B1", "10", in("b", "t1"))), 200, `"accepted":1`},
		{"its task is put right", body(fact("B1", "11", in("b", "t2")+corrects)), 200, `"accepted":1}`},
		{"another case, and not of the first task", body(fact("B2", "11", in("b", "t1"))), 422, "task_code of the batch"},
		{"another case of the task put right", body(fact("B2", "11", in("b", "t2"))), 200, `"accepted":1`},
		{"one of two is put right", body(fact("B1", "12", in("b", "t3")+corrects)), 422, "task_code of the batch"},
		{"filed and put right in one request", body(fact("C1", "10", in("c", "t1")), fact("C1", "11", in("c", "t2")+corrects),
			fact("C2", "11", in("c", "t1"))), 200, `"accepted":2,"refused":[{"index":2`},
		{"the first of two tasks is completed", body(fact("O1", "10", completed)), 200, `"accepted":1`},
		{"and the second", body(fact("O2", "10", completed)), 200, `"accepted":1`},
		{"and both are said again", body(fact("O1", "10", in("old", "t1")), fact("O2", "10", in("old", "t2"))), 200, `"accepted":2`},
		{"the second is put right", body(fact("O2", "11", in("old", "t1")+corrects)), 200, `"accepted":1`},
	} {
		if status, says := o.ask(t, "POST", "/v1/cases", fmt.Sprint(i), step.body); status != step.status || !strings.Contains(says, step.says) {
			t.Errorf("%s: %d %s, want %d %s", step.what, status, says, step.status, step.says)
		}
		o.follow(t)
	}
}
