package rectify

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/central/books"
	"haochaping/internal/central/deadline"
)

// checkACitizenAppeals by what they keep of their rating, against what was not adopted, and is told by message that it was not (articles 6
// and 17); what the unit is granted is refused in the books, and what the citizen is granted counts again.
func checkACitizenAppeals(t *testing.T, on engine) {
	b := on(t)
	g := new(phones)
	x := b.texts(t, "here", g)
	x.Refused = "有结论，见{link}"
	b.orders = x.Orders
	x.once(t)
	id := b.answerOf(t, "13800000001")
	row, _ := books.Entry{Cursor: id}.Pos()
	receipt := Receipt(row)
	follow := func(about string, want ...Followed) {
		t.Helper()
		got, err := b.orders.Followed(t.Context(), about)
		for i := range got {
			got[i].Due = got[i].Due.UTC().Truncate(0)
			if i < len(want) {
				want[i].Part, want[i].Due = b.order(t, id).Parts[0].Name(), got[i].Due
			}
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", about, err, diff)
		}
	}
	const police = "示例市公安局"
	follow(receipt, Followed{Unit: police, State: Waiting})
	follow(Receipt(row + 1000))
	part := b.order(t, id).Parts[0].Name()
	appeal := func(about string, want bool, words string) {
		t.Helper()
		if taken, err := b.orders.AppealOf(t.Context(), about, part, words); err != nil || taken != want {
			t.Errorf("%s: taken %t, %v", about, taken, err)
		}
	}
	appeal(receipt, false, "还没有办结")
	b.at(10)
	k := b.do(t, id, Contact, Claim, Uphold)
	follow(receipt, Followed{Unit: police, State: NotAdopted, Appeals: true})
	x.once(t)
	told := k.asked(b.moment(t, k, Uphold))
	if sent := g.take(); len(sent) != 1 || sent[0].Text != "有结论，见https://rate.example.com/F/"+told {
		t.Errorf("sent was %v", sent)
	}
	if v, err := b.orders.Asked(t.Context(), told); err != nil || v != (Asked{Unit: police}) {
		t.Errorf("the page shows %+v, %v", v, err)
	}
	follow(told, Followed{Unit: police, State: NotAdopted, Appeals: true})
	appeal(Receipt(row+1000), false, "与我无关")
	appeal(receipt, true, "不是误评 13900000002")
	appeal(told, true, "不是误评 13900000002") // sent again
	appeal(told, false, "另有理由")            // which would be lost
	if got := strings.Join(b.history(t, id), " "); strings.Contains(got, "误评 139") {
		t.Errorf("the history shows what the citizen wrote: %s", got)
	}
	if got, err := b.orders.Judged(t.Context(), k.Order, k.Part); err != nil || got != "不是误评 13900000002" {
		t.Errorf("the citizen wrote %q, %v", got, err)
	}
	counts := func(want bool) {
		t.Helper()
		b.wait(t)
		d, found, err := b.books.Counted(t.Context(), id)
		got := slices.ContainsFunc(d.Contests, func(c books.Contest) bool { return c.Standing == "counted" })
		if err != nil || !found || got != want {
			t.Errorf("it counts: %t, %v", got, err)
		}
	}
	counts(false)
	b.do(t, id, Grant)
	counts(true)
	follow(receipt, Followed{Unit: police, State: Limited, Decided: true})
	k = b.do(t, id, Reply, Pass, Satisfied)
	object := Event{Do: Appeal, Side: OfUnit}
	if _, err := b.orders.Do(t.Context(), clerk(), k, object, "系冒名评价"); err != nil {
		t.Fatal(err)
	}
	k = b.do(t, id, Grant)
	counts(false)
	follow(receipt, Followed{Unit: police, State: NotAdopted, Decided: true}) // they have appealed once
	x.once(t)
	told = k.asked(k.Body.Since)
	if sent := g.take(); len(sent) != 1 || sent[0].Text != "有结论，见https://rate.example.com/F/"+told {
		t.Errorf("of what the unit was granted was sent %v", sent)
	}
	if v, err := b.orders.Asked(t.Context(), told); err != nil || v != (Asked{Unit: police}) {
		t.Errorf("the page shows %+v, %v", v, err)
	}
	all, err := b.orders.Choices(t.Context(), Filter{})
	n := 0
	for _, c := range all {
		if c.Do == Appeal {
			n += c.Times
		}
	}
	if err != nil || n != 2 {
		t.Errorf("counted are %d appeals, %+v, %v", n, all, err)
	}
	before := b.dump(t)
	if err := b.orders.Rebuild(t.Context(), By{"operator", ""}, "for a test", func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, b.dump(t)); diff != "" {
		t.Errorf("made anew the tables differ:\n%s", diff)
	}
}

// dying is a gateway that takes a message, or not, while the centre ends.
type dying struct {
	phones
	die   context.CancelFunc
	knows bool // what became of a message
	away  error
}

func (g *dying) Send(ctx context.Context, m deadline.Message) error {
	if g.die == nil {
		return g.phones.Send(ctx, m)
	}
	err := g.phones.Send(ctx, m)
	g.die()
	return errors.Join(err, ctx.Err())
}

func (g *dying) Took(_ context.Context, id string) (taken, known bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(g.sent, func(m deadline.Message) bool { return m.ID == id }), g.knows, g.away
}

// checkAMessageThatWasLost: what became of a message while the centre ended is asked at the gateway; what nobody knows is said to be
// unclear, is counted, and is not sent again; what the citizen replies to it holds.
func checkAMessageThatWasLost(t *testing.T, on engine) {
	b := on(t)
	for i, c := range []struct {
		knows, taken bool
		away         error
		want         string
	}{{true, true, nil, "sent"}, {true, false, nil, "unsent 短信网关没有接收"}, {false, true, nil, "unclear"},
		{false, false, errors.New("away"), "unclear"}} {
		g := &dying{knows: c.knows, away: c.away}
		x := b.texts(t, "here", g)
		id := b.passed(t, x, "1380000001"+string(rune('0'+i)))
		b.at(19)
		k := b.do(t, id, Ask)
		b.at(10) // in the morning, long after the deed
		ctx, die := context.WithCancel(t.Context())
		g.die = die
		if err := x.Once(ctx); err == nil {
			t.Fatalf("%d: the centre did not end", i)
		}
		g.die = nil
		if !c.taken {
			g.take()
		}
		if c.away != nil {
			if err := x.Once(t.Context()); !errors.Is(err, c.away) {
				t.Errorf("%d: a gateway that is away: %v", i, err)
			}
			b.pass(askedLife)
		}
		for range 2 {
			x.once(t)
		}
		sent := len(g.take())
		got := b.history(t, id)
		if last := got[len(got)-1]; !strings.HasPrefix(last, c.want) || sent != map[bool]int{true: 1}[c.taken] {
			t.Errorf("%d: the history ends with %q, sent were %d", i, last, sent)
		}
		if c.want != "unclear" {
			continue
		}
		if next := b.order(t, id).Parts[0].Body.bounded(Ask); next == nil {
			t.Errorf("%d: it may be asked again by message", i)
		}
		if taken, err := x.Orders.Judge(t.Context(), k.asked(k.Body.Asked), true, ""); err != nil || !taken {
			t.Errorf("%d: what the citizen replies: %t, %v", i, taken, err)
		}
	}
	all, err := b.orders.Choices(t.Context(), Filter{})
	i := slices.IndexFunc(all, func(c Chosen) bool { return c.Do == Unclear })
	if err != nil || i < 0 || all[i].Times != 2 {
		t.Errorf("counted are %+v, %v", all, err)
	}
}
