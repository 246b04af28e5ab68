package rectify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/central/deadline"
	"haochaping/internal/rating"
)

// phones is a gateway that keeps what it is given.
type phones struct {
	mu   sync.Mutex
	sent []deadline.Message // guarded by mu, as all
	away error
}

func (p *phones) Send(_ context.Context, m deadline.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away == nil {
		p.sent = append(p.sent, m)
	}
	return p.away
}

// take returns what was sent since it was last asked.
func (p *phones) take() []deadline.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.sent
	p.sent = nil
	return all
}

// at lets time pass until an hour of the day in Asia/Shanghai.
func (b *bureau) at(hour int) {
	now := b.now().In(rating.Shanghai())
	then := time.Date(now.Year(), now.Month(), now.Day(), hour, 0, 0, 0, rating.Shanghai())
	if then.Before(now) {
		then = then.AddDate(0, 0, 1)
	}
	b.pass(then.Sub(now))
}

// texts returns what writes to citizens by a gateway, as an instance has it.
func (b *bureau) texts(t testing.TB, holder string, g deadline.Gateway) Texts {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	d, err := deadline.Open(t.Context(), deadline.Config{Journal: b.journal, Books: b.books, Calendar: b.terms.Calendar, Gateway: g,
		Secret: []byte("secret"), Holder: holder, Now: b.now, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	o := b.open(t, holder)
	o.cfg.Texts = true
	return Texts{Orders: o, Messages: d, Ask: "回访：请回复{letter}满意或{letter}不满意，或打开{link}", Extended: "延长到{day}，见{link}", Missed: "未能接通",
		Link: func(about string) (string, error) { return "https://rate.example.com/F/" + about, nil }, Logger: quiet}
}

// once has it write what is to be written.
func (x Texts) once(t testing.TB) {
	t.Helper()
	if err := x.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// rated returns an order on a bad rating of somebody who can be reached, where what was done has been passed, and what writes to them.
func (b *bureau) passed(t testing.TB, x Texts, contact string) (evaluation int64) {
	t.Helper()
	b.orders = x.Orders
	x.once(t) // what was done before is not written
	b.complete(t, "P"+contact, police, "", contact)
	id := b.answer(t, "P"+contact, 1, 1)
	b.once(t)
	b.do(t, id, Contact, Plan, Reply, Pass)
	return id
}

func (b *bureau) history(t testing.TB, evaluation int64) (all []string) {
	t.Helper()
	steps, err := b.orders.History(t.Context(), b.order(t, evaluation).ID, NoClues)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		all = append(all, strings.TrimSpace(string(s.Do)+" "+s.Text))
	}
	return all
}

// checkAFollowUpByMessage: the office asks by message, by day, once; the citizen's own judgement closes or reopens, whatever way it
// comes, and reopens once (article 18).
func checkAFollowUpByMessage(t *testing.T, on engine) {
	b := on(t)
	g := new(phones)
	x := b.texts(t, "here", g)
	id := b.passed(t, x, "13800000001")
	b.at(22)
	k := b.do(t, id, Ask)
	x.once(t)
	if sent := g.take(); len(sent) != 0 {
		t.Fatalf("at night was sent %v", sent)
	}
	b.at(9)
	for range 2 {
		x.once(t)
	}
	sent := g.take()
	first := k.asked(k.Body.Asked)
	if len(sent) != 1 || sent[0].Number != "13800000001" || sent[0].Text != "回访：请回复A满意或A不满意，或打开https://rate.example.com/F/"+first {
		t.Fatalf("sent was %v", sent)
	}
	if got := b.history(t, id); got[len(got)-1] != "sent" {
		t.Errorf("the history is %q", got)
	}
	if now := b.order(t, id).Parts[0]; now.Changed != k.Changed {
		t.Errorf("that it was sent has changed the part from %d to %d", k.Changed, now.Changed)
	}
	v, err := x.Orders.Asked(t.Context(), first)
	if diff := cmp.Diff(Asked{Asks: true, Unit: "示例市公安局", Words: "已电话沟通"}, v); err != nil || diff != "" {
		t.Errorf("the page shows %v\n%s", err, diff)
	}
	judge := func(about string, satisfied, want bool, words string) {
		t.Helper()
		if taken, err := x.Orders.Judge(t.Context(), about, satisfied, words); err != nil || taken != want {
			t.Errorf("%s, satisfied %t: taken %t, %v", about, satisfied, taken, err)
		}
	}
	judge(first, false, true, "还是要排队 13900000002")
	judge(first, false, true, "还是要排队 13900000002") // as a gateway hands it on again
	judge(first, true, false, "")
	k = b.order(t, id).Parts[0]
	if k.Body.State != Limited || !k.Body.Reopened || k.Body.From != k.Body.Since {
		t.Fatalf("after 不满意 it is %+v", k.Body)
	}
	if got := strings.Join(b.history(t, id), " "); strings.Contains(got, "排队") {
		t.Errorf("the history shows what the citizen wrote: %s", got)
	}
	if got, err := x.Orders.Judged(t.Context(), k.Order, k.Part); err != nil || got != "还是要排队 13900000002" {
		t.Errorf("the citizen wrote %q, %v", got, err)
	}
	k = b.do(t, id, Reply, Pass, Ask)
	b.at(10)
	x.once(t)
	if sent := g.take(); len(sent) != 1 {
		t.Fatalf("the second time was sent %v", sent)
	}
	judge(first, true, false, "") // the first is not asked any more
	judge("9999-1.5", true, false, "")
	if v, err := x.Orders.Asked(t.Context(), first); err != nil || v.Asks {
		t.Errorf("the first page still asks: %+v, %v", v, err)
	}
	judge(k.asked(k.Body.Asked), false, true, "")
	if p := b.order(t, id).Parts[0].Body; p.State != Closed {
		t.Errorf("after 不满意 again it is %s", p.State)
	}
	before := b.dump(t)
	if err := x.Orders.Rebuild(t.Context(), By{"operator", ""}, "for a test", func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, b.dump(t)); diff != "" {
		t.Errorf("made anew the tables differ:\n%s", diff)
	}
	x.once(t)
	if sent := g.take(); len(sent) != 0 {
		t.Errorf("after the orders were made anew was sent %v", sent)
	}
}

// checkWhatIsNotSent says so in the history, and the office may ask anew.
func checkWhatIsNotSent(t *testing.T, on engine) {
	b := on(t)
	g := new(phones)
	x := b.texts(t, "here", g)
	last := func(id int64, want string) {
		t.Helper()
		if got := b.history(t, id); got[len(got)-1] != want {
			t.Errorf("the history is %q, want %q at its end", got, want)
		}
		if p := b.order(t, id).Parts[0].Body; p.Asked != 0 {
			t.Errorf("it cannot be asked anew: %+v", p)
		}
		if sent := g.take(); len(sent) != 0 {
			t.Errorf("sent was %v", sent)
		}
	}
	away := b.passed(t, x, "13800000001")
	g.away = errors.New("away")
	b.at(10)
	b.do(t, away, Ask)
	x.once(t)
	g.away = nil
	last(away, "unsent 短信网关没有接收")
	landline := b.passed(t, x, "0931-8888888")
	b.do(t, landline, Ask)
	x.once(t)
	last(landline, "unsent 没有可用的手机号码")
	if err := x.Messages.(*deadline.Deadlines).Stop(t.Context(), "test", "1", "13800000001"); err != nil {
		t.Fatal(err)
	}
	b.do(t, away, Ask)
	x.once(t)
	last(away, "unsent 号码已退订短信")
	late := b.passed(t, x, "13800000003")
	b.do(t, late, Ask)
	b.pass(50 * time.Hour)
	b.at(10)
	x.once(t)
	last(late, "unsent 过了一天，没有再发")
	b.do(t, late, Ask)
	b.do(t, late, Satisfied) // by telephone, before the message went
	x.once(t)
	if sent := g.take(); len(sent) != 0 {
		t.Errorf("about what is closed was sent %v", sent)
	}
	b.orders = b.open(t, "here") // without a gateway
	none := b.answerOf(t, "13800000004")
	b.do(t, none, Contact, Plan, Reply, Pass)
	var r *Refusal
	if _, err := b.orders.Do(t.Context(), clerk(), b.order(t, none).Parts[0], Event{Do: Ask}, ""); !errors.As(err, &r) {
		t.Errorf("asked without a gateway: %v", err)
	}
}

// answerOf opens an order on a bad rating of somebody with a contact.
func (b *bureau) answerOf(t testing.TB, contact string) int64 {
	t.Helper()
	b.complete(t, "P"+contact, police, "", contact)
	id := b.answer(t, "P"+contact, 1, 1)
	b.once(t)
	return id
}

// checkACitizenIsTold that it takes longer, and once that a call did not reach them; an anonymous one of nothing, and nobody of a clue.
func checkACitizenIsTold(t *testing.T, on engine) {
	b := on(t)
	g := new(phones)
	x := b.texts(t, "here", g)
	b.orders = x.Orders
	x.once(t)
	id, anonymous := b.answerOf(t, "13800000001"), b.answerOf(t, "")
	c := complained()
	complaint := b.complain(t, "one", c).Parts[0]
	c.Retaliation = true
	clue := b.complain(t, "clue", c).Parts[0]
	b.at(10)
	b.do(t, id, Miss, Miss)
	for _, k := range []Kept{complaint, clue} {
		if _, err := b.orders.Do(t.Context(), clerk(), k, choosing(Event{Do: Miss}), "无人接听"); err != nil {
			t.Fatal(err)
		}
	}
	x.once(t)
	var got []string
	for _, m := range g.take() {
		got = append(got, m.Number+" "+m.Text)
	}
	if diff := cmp.Diff([]string{"13800000001 未能接通", "13900000031 未能接通"}, got); diff != "" {
		t.Errorf("sent was:\n%s", diff)
	}
	k := b.do(t, id, Contact, Plan, Extend)
	b.do(t, anonymous, Verify, Plan, Extend)
	x.once(t)
	sent := g.take()
	end := b.terms.End(k.Body).At.Add(-time.Second).In(rating.Shanghai())
	about := k.asked(b.moment(t, k, Extend))
	if want := fmt.Sprintf("延长到%d月%d日，见https://rate.example.com/F/%s", end.Month(), end.Day(), about); len(sent) != 1 || sent[0].Text != want {
		t.Fatalf("sent was %v, want %s", sent, want)
	}
	v, err := x.Orders.Asked(t.Context(), about)
	if err != nil || v.Asks || v.Words != "已电话沟通" || !v.Until.Equal(b.terms.End(k.Body).At) {
		t.Errorf("the page shows %+v, %v", v, err)
	}
	if taken, err := x.Orders.Judge(t.Context(), about, true, ""); err != nil || taken {
		t.Errorf("an extension was judged: %t, %v", taken, err)
	}
}

// moment returns when a deed about a part was done.
func (b *bureau) moment(t testing.TB, k Kept, do Deed) int64 {
	t.Helper()
	all, err := b.orders.History(t.Context(), k.Order, NoClues)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Part == k.Part && s.Do == do {
			return s.Event.At
		}
	}
	t.Fatalf("%s was not done", do)
	return 0
}

// checkTwoInstancesWrite each message once, also where one has lost its lease without knowing.
func checkTwoInstancesWrite(t *testing.T, on engine) {
	b := on(t)
	g := new(phones)
	x := b.texts(t, "here", g)
	b.orders = x.Orders
	x.once(t)
	const many = 6
	for i := range many {
		id := b.passed(t, x, fmt.Sprint(13800000001+i))
		b.do(t, id, Ask)
	}
	b.at(10)
	var work sync.WaitGroup
	for i := range 2 {
		other := b.texts(t, fmt.Sprint("instance ", i), g)
		work.Go(func() {
			for range 2 {
				// As one does that has lost its lease without knowing.
				if err := other.Orders.tellEach(t.Context(), fmt.Sprint("lease ", i), byText, other.Messages.Awake, other.tell); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	x.once(t)
	numbers := make(map[string]int)
	for _, m := range g.take() {
		numbers[m.Number]++
	}
	for number, n := range numbers {
		if n != 1 {
			t.Errorf("%s got %d messages", number, n)
		}
	}
	if len(numbers) != many {
		t.Errorf("%d were written to, want %d", len(numbers), many)
	}
}

// TestMobile reads the one number in what citizens leave, and guesses none.
func TestMobile(t *testing.T) {
	for contact, want := range map[string]string{"13800000001": "13800000001",
		"王先生 13900000031": "13900000031", "+8613800000001": "13800000001",
		"0086 138 0000 0001": "13800000001", "138-0000-0001（晚上）": "13800000001", "": "", "0931-8888888": "", "13800000001 或 13900000031": "",
		"身份证 620102199001013800": "", "1380000000": "", "139000000312": ""} {
		if got := mobile(contact); got != want {
			t.Errorf("%q: %q, want %q", contact, got, want)
		}
	}
}
