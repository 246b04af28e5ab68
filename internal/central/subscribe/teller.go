package subscribe

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/rating"
	"haochaping/internal/webhook"
)

const (
	leaseName = "subscriptions" // of the instance that tells
	leaseTime = 5 * time.Minute
	// round is how long one look may take, so that it ends within the lease.
	round = 4 * time.Minute
	pause = time.Minute
	// worth is for how many days after its end a period is told that could not be told yet.
	worth = 14
)

// Leases is what is needed of leases.
type Leases interface {
	Acquire(ctx context.Context, name string, ttl time.Duration) (bool, error)
	ReleaseAtEnd(ctx context.Context, name string) error
}

// Hook is the centre's webhook, which hears of the figures of all who chose it.
type Hook struct {
	URL    string // empty: there is none
	Secret webhook.Secret
}

// Teller tells those who want to be told elsewhere than on the home page. What is not taken is told again each minute, for fourteen days
// after the period's end, under the same message id, by which the receiver knows it. One instance tells at a time.
type Teller struct {
	Room   *Room
	Leases Leases
	Post   *Post // nil: there is no mail
	Hook   Hook
	// Last returns the last period of an interval whose figures stand.
	Last func(Every, time.Time) directory.Period
	// Whole reports whether the figures are counted up to now.
	Whole func(context.Context) (bool, error)
	// May returns who an account is, and whether it may still look at figures.
	May    func(ctx context.Context, account string) (login string, may bool, err error)
	Pages  string // the address at which people find the centre's pages
	Now    func() time.Time
	Logger *slog.Logger
}

// Run tells until ctx ends, and gives back the lease.
func (t Teller) Run(ctx context.Context) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for failing := ""; ; {
		err := t.Once(ctx)
		switch {
		case ctx.Err() != nil:
			return t.Leases.ReleaseAtEnd(ctx, leaseName)
		case err == nil:
			failing = ""
		case err.Error() != failing:
			failing = err.Error()
			t.Logger.Error("subscribed figures are not told; they are on the pages, and are told again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// Once tells what is to be told, if no other instance does. What one receiver refuses does not keep it from telling the others.
func (t Teller) Once(ctx context.Context) error {
	held, err := t.Leases.Acquire(ctx, leaseName, leaseTime)
	if err != nil || !held {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, round)
	defer cancel()
	all, err := t.due(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	if whole, err := t.Whole(ctx); err != nil || !whole {
		return err
	}
	var refused error
	away := make(map[Way]bool) // whose server takes nothing: the others need not wait for it one by one
	for _, s := range all {
		if away[s.Way] {
			continue
		}
		if err := t.tell(ctx, s); err != nil {
			refused = errors.Join(refused, fmt.Errorf("subscription %d: %w", s.N, err))
			away[s.Way] = true
		}
		if ctx.Err() != nil {
			return errors.Join(refused, ctx.Err())
		}
	}
	return refused
}

// due returns the subscriptions of which a period is to be told.
func (t Teller) due(ctx context.Context) (all []Subscription, err error) {
	some, err := t.Room.outward(ctx)
	for _, s := range some {
		if s.Told < t.Last(s.Every, t.Now()).To {
			all = append(all, s)
		}
	}
	return all, err
}

// tell tells a period, and notes what became of it.
func (t Teller) tell(ctx context.Context, s Subscription) error {
	days := t.Last(s.Every, t.Now())
	login, may, err := t.May(ctx, s.Account)
	if err != nil {
		return err
	}
	if !may {
		return t.Room.told(ctx, s.N, days.To, "账号已停用或不再能看统计 · the account is closed or may look at figures no more")
	}
	switch {
	case s.Way == Mail && t.Post != nil:
		err = t.Post.send(ctx, s, days, t.link(s), t.Now())
	case s.Way == Webhook && t.Hook.URL != "":
		err = t.post(ctx, s, days, login)
	default:
		err = errGone
	}
	if err == nil {
		return t.Room.told(ctx, s.N, days.To, "")
	}
	if permanent(err) || directory.DayOf(t.Now()) >= days.To+worth {
		t.Logger.Error("a period of a subscription is not told any more; it is on the pages", "subscription", s.N, "period", days.String(),
			"error", err)
		return t.Room.told(ctx, s.N, days.To, err.Error())
	}
	return err
}

// errGone says that what somebody chose is not configured any more.
var errGone = errors.New("中心没有配置这种通知方式 · the centre has no such way any more (subscriptions in its configuration)")

// permanent reports whether telling once more cannot help.
func permanent(err error) bool {
	var refused refusedError
	return errors.Is(err, errGone) || errors.As(err, &refused)
}

// id names what is told of a period. Numbers are given again when the last subscription has ended, so that it follows from all of it.
func id(s Subscription, days directory.Period) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%d\n%s\n%s\n%s", s.N, s.Account, s.Every, s.Query))
	return fmt.Sprintf("figures-%x-%s", h[:8], days.To-1)
}

func (t Teller) link(s Subscription) string {
	return fmt.Sprintf("%s/figures/subscriptions/look?n=%d", t.Pages, s.N)
}

// message is what the webhook hears.
type message struct {
	Type      string `json:"type"` // figures.ready
	Timestamp string `json:"timestamp"`
	Data      data   `json:"data"`
}

// data says whose figures of which days are there: Query is asked of /api/v1/figures by a token, which says what may be seen.
type data struct {
	Login string `json:"login"`
	Every Every  `json:"every"`
	From  string `json:"from"` // the first day
	To    string `json:"to"`   // the last day
	Words string `json:"words"`
	Query string `json:"query"`
	Page  string `json:"page"`
}

func (t Teller) post(ctx context.Context, s Subscription, days directory.Period, login string) error {
	first, last := days.From.String(), (days.To - 1).String()
	body, err := json.Marshal(message{"figures.ready", t.Now().In(rating.Shanghai()).Format(time.RFC3339), data{login, s.Every, first, last,
		s.Words, s.Query + "&from=" + first + "&to=" + last, t.link(s)}})
	if err != nil {
		return err
	}
	return t.Hook.Secret.Post(ctx, t.Hook.URL, id(s, days), t.Now(), body)
}
