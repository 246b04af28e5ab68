package deadline

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"haochaping/internal/central/db"
)

// questionLife is how long a question waits for the morning. It is not asked later than that.
const questionLife = 24 * time.Hour

// Question asks a number that has written what it meant, unless it has stopped messages: now, or in the morning if nobody is written to
// now. What the gateway does not take is not sent again.
func (d *Deadlines) Question(ctx context.Context, r Reply, text string) error {
	if d.cfg.Gateway == nil {
		return nil
	}
	id := sha256.Sum256([]byte("question " + r.Source + " " + r.Name))
	m := Message{fmt.Sprintf("%x", id[:8]), r.Number, text}
	if d.awake() {
		return d.put(ctx, m)
	}
	sealed, err := d.seal(m)
	if err != nil {
		return err
	}
	err = d.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO message_question (id, number, text, came) VALUES ($1, $2, $3, $4)
			ON CONFLICT (id) DO NOTHING`, m.ID, sealed, text, d.cfg.Now().UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("keep a question until the morning: %w", err)
	}
	return nil
}

// put sends a question.
func (d *Deadlines) put(ctx context.Context, m Message) error {
	stopped, err := d.Stopped(ctx, m.Number)
	if err != nil || stopped {
		return err
	}
	if err := d.cfg.Gateway.Send(ctx, m); err != nil {
		d.cfg.Logger.Warn("the gateway did not take a question about an unclear reply; it is not sent again", "error", err)
	}
	return nil
}

// putQuestions asks what was kept at night, each once at most, where an answer is still waited for.
func (d *Deadlines) putQuestions(ctx context.Context) error {
	type kept struct {
		m      Message
		sealed []byte
		came   int64
	}
	all, err := db.Query(ctx, d.db, func(s db.Scanner) (k kept, err error) { return k, s.Scan(&k.m.ID, &k.sealed, &k.m.Text, &k.came) },
		"SELECT id, number, text, came FROM message_question ORDER BY came, id")
	if err != nil {
		return fmt.Errorf("read the questions of the night: %w", err)
	}
	for _, k := range all {
		if !d.awake() {
			return nil
		}
		var waits bool
		err := d.db.Write(ctx, func(tx *db.Tx) error {
			if _, err := tx.ExecContext(ctx, "DELETE FROM message_question WHERE id = $1", k.m.ID); err != nil {
				return err
			}
			if k.m.Number, err = d.open(k.m.ID, k.sealed); err != nil {
				return nil // of another key: nobody can be asked
			}
			asked, err := requestsOf(ctx, tx, d.hash(k.m.Number))
			waits = slices.ContainsFunc(asked, func(q Request) bool { return q.Answered == 0 })
			return err
		})
		if err != nil {
			return fmt.Errorf("take a question of the night: %w", err)
		}
		if waits && d.cfg.Now().UnixMilli()-k.came < questionLife.Milliseconds() {
			if err := d.put(ctx, k.m); err != nil {
				return err
			}
		}
	}
	return nil
}

// locker encrypts numbers that are kept for a night, each under the id of its message, which is used once.
func (d *Deadlines) locker() (cipher.AEAD, error) {
	key := sha256.Sum256(append([]byte("questions of the night "), d.cfg.Secret...))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (d *Deadlines) seal(m Message) ([]byte, error) {
	a, err := d.locker()
	if err != nil {
		return nil, err
	}
	return a.Seal(nil, nil, []byte(m.Number), []byte(m.ID)), nil
}

func (d *Deadlines) open(id string, sealed []byte) (string, error) {
	a, err := d.locker()
	if err != nil {
		return "", err
	}
	number, err := a.Open(nil, nil, sealed, []byte(id))
	return string(number), err
}
