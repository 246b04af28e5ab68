package deadline

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

const (
	// requestLife is how long a reply is bound to a request: longer than a reply is taken at all.
	requestLife = 60 * 24 * time.Hour
	// clocks is how far the gateway's clock may be from the centre's.
	clocks = 10 * time.Minute
	// letters name the requests of one number. T and D mean stop, and I and O are read as digits.
	letters = "ABCEFGHJKLMNPQRSUVWXYZ"
)

// Request is a message that asks for a rating, or by About for something else.
type Request struct {
	ID       string
	Case     rating.CaseKey // of what asks for something else its area alone
	About    string
	Letter   string // by which a reply names it among those of its number, empty: by none
	Sent     int64  // milliseconds since 1970-01-01 UTC, as all times here
	Answered int64  // when a reply to it was given, 0: none was
	Asked    int64  // when it was asked what a reply meant, 0: never
}

// Reply is what somebody said in answer to a request: a message, or the key of a call.
type Reply struct {
	Source, Name string // the name tells the source's replies apart
	Number       string
	At           int64  // when it was given, milliseconds since 1970-01-01 UTC
	To           string // id of the request that it answers, where the gateway knows; else empty
	Letter       string // of the request that it names, empty if it names none
	Unclear      bool   // it says no level, so that it answers no request for a rating
	Judges       bool   // it says 满意 or 不满意 in words, so that it answers what asks for something else
	Asked        bool   // whoever hands it on asks by itself what was meant
	Area         string // with which the areas of the cases begin that whoever hands it on may hear of; empty: all
}

// Answers reports whether a reply says what a request asks for. A key of a telephone is about ratings alone.
func (r Reply) Answers(q Request) bool {
	if q.About != "" {
		return r.Judges
	}
	return !r.Unclear
}

// hears reports whether whoever hands a reply on may hear of a request.
func (r Reply) hears(q Request) bool {
	return strings.HasPrefix(q.Case.Area, r.Area) && (q.About == "" || !r.Asked)
}

// requestID returns the id of the message that reminds of a case.
func requestID(k rating.CaseKey) string {
	id := sha256.Sum256([]byte("reminder " + k.String()))
	return fmt.Sprintf("%x", id[:8])
}

// bind returns which of a number's requests a reply answers, -1 if that is not sure (评价人可通过…回复短信进行评价, article 13). It is the one that the
// gateway names, else the one that the reply names, else the only one that waits, else, where none waits, the only one there was. A request
// that was sent after the reply is none of them.
func bind(all []Request, r Reply) int {
	if r.To != "" {
		return slices.IndexFunc(all, func(q Request) bool { return q.ID == r.To })
	}
	var sent, named, waiting []int
	for i, q := range all {
		if q.Sent > r.At+clocks.Milliseconds() {
			continue
		}
		sent = append(sent, i)
		if q.Letter == r.Letter {
			named = append(named, i)
		}
		if q.Answered == 0 {
			waiting = append(waiting, i)
		}
	}
	switch {
	case r.Letter != "" && len(named) > 0: // a letter is used again once its request was answered
		return slices.MaxFunc(named, func(a, b int) int { return cmp.Compare(all[a].Sent, all[b].Sent) })
	case r.Letter == "" && len(waiting) == 1:
		return waiting[0]
	case r.Letter == "" && len(waiting) == 0 && len(sent) == 1:
		return sent[0]
	}
	return -1
}

// ask notes a request before it is sent, and returns the letter by which a reply names it.
func (d *Deadlines) ask(ctx context.Context, tx *db.Tx, id, about, number string) (letter string, err error) {
	hash := d.hash(number)
	all, err := requestsOf(ctx, tx, hash)
	if err != nil {
		return "", err
	}
	for _, l := range strings.Split(letters, "") {
		if !slices.ContainsFunc(all, func(q Request) bool { return q.Letter == l && q.Answered == 0 }) {
			letter = l
			break
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO message_request (id, number, about, letter, sent, answered, asked)
		VALUES ($1, $2, $3, $4, $5, 0, 0)
		ON CONFLICT (id) DO NOTHING`, id, hash, about, letter, d.cfg.Now().UnixMilli())
	return letter, err
}

func requestsOf(ctx context.Context, tx *db.Tx, hash []byte) ([]Request, error) {
	all, err := db.Query(ctx, tx, func(s db.Scanner) (q Request, err error) {
		var about string
		err = s.Scan(&q.ID, &about, &q.Letter, &q.Sent, &q.Answered, &q.Asked)
		if rest, ok := strings.CutPrefix(about, notedMark); ok {
			q.Case.Area, q.About, _ = strings.Cut(rest, " ")
		} else {
			q.Case = rating.ParseCaseKey(about)
		}
		return q, err
	}, "SELECT id, about, letter, sent, answered, asked FROM message_request WHERE number = $1 ORDER BY sent, id", hash)
	if err != nil {
		return nil, fmt.Errorf("read what a number was asked: %w", err)
	}
	return all, nil
}

// Bound is what a reply was bound to.
type Bound struct {
	Request Request   // empty: to none
	Waiting []Request // if to none: those that it may have meant
	Ask     bool      // whether it is to be asked now what it meant. Nobody is asked twice about the same requests.
}

// Bind returns which request a reply answers. A reply that comes again is bound to the same, whatever came between.
func (d *Deadlines) Bind(ctx context.Context, r Reply) (b Bound, err error) {
	err = d.db.Write(ctx, func(tx *db.Tx) error {
		b = Bound{}
		all, err := requestsOf(ctx, tx, d.hash(r.Number))
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(q Request) bool { return !r.hears(q) })
		before, err := db.Query(ctx, tx, func(s db.Scanner) (id string, err error) { return id, s.Scan(&id) },
			"SELECT request FROM message_reply WHERE source = $1 AND name = $2", r.Source, r.Name)
		if err != nil {
			return err
		}
		if len(before) > 0 {
			if i := slices.IndexFunc(all, func(q Request) bool { return q.ID == before[0] }); i >= 0 {
				b.Request = all[i]
			} else {
				b.Waiting = waiting(all, r)
			}
			return nil
		}
		if i := bind(all, r); i >= 0 && r.Answers(all[i]) {
			b.Request = all[i]
			if _, err := tx.ExecContext(ctx, "UPDATE message_request SET answered = $1 WHERE id = $2 AND answered = 0", max(r.At, 1),
				all[i].ID); err != nil {
				return err
			}
		} else {
			b.Waiting = waiting(all, r)
			b.Ask = !r.Asked && slices.ContainsFunc(b.Waiting, func(q Request) bool { return q.Asked == 0 })
			for _, q := range b.Waiting {
				if !b.Ask {
					break
				}
				if _, err := tx.ExecContext(ctx, "UPDATE message_request SET asked = $1 WHERE id = $2", max(r.At, 1), q.ID); err != nil {
					return err
				}
			}
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO message_reply (source, name, request, came) VALUES ($1, $2, $3, $4)", r.Source, r.Name,
			b.Request.ID, d.cfg.Now().UnixMilli())
		return err
	})
	if err != nil {
		return Bound{}, fmt.Errorf("bind a reply: %w", err)
	}
	return b, nil
}

// waiting returns the requests that a reply may have meant.
func waiting(all []Request, r Reply) []Request {
	return slices.DeleteFunc(slices.Clone(all), func(q Request) bool { return q.Answered != 0 || q.Sent > r.At+clocks.Milliseconds() })
}

// forgetRequests drops what no reply can answer any more.
func (d *Deadlines) forgetRequests(ctx context.Context) error {
	before := d.cfg.Now().Add(-requestLife).UnixMilli()
	err := d.db.Write(ctx, func(tx *db.Tx) error {
		for _, text := range []string{"DELETE FROM message_request WHERE sent < $1", "DELETE FROM message_reply WHERE came < $1"} {
			if _, err := tx.ExecContext(ctx, text, before); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget old requests: %w", err)
	}
	return nil
}
