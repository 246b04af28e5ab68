package windowapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"regexp"
	"time"

	"haochaping/internal/rating"
)

// openTimeout is how long a client waits at most to hear that its visit is open. A visit that the disk takes later is open then.
const openTimeout = 10 * time.Second

// errNotInTime says that a visit was not recorded within openTimeout. It may still be.
var errNotInTime = errors.New("the visit was not recorded in time")

var idempotencyKey = regexp.MustCompile(`^[!-~]{1,255}$`)

func (a *api) open(w http.ResponseWriter, r *http.Request) {
	body, bad := readBody(r)
	j := visitJSON{Grouping: rating.Single}
	if bad == nil {
		bad = decode(body, &j)
	}
	if bad == nil {
		bad = j.check()
	}
	if bad != nil {
		a.fail(w, r, *bad)
		return
	}
	v := j.visit()
	release, ok := a.clients.hold(clientOf(r), opensOf, maxOpens)
	if !ok {
		a.fail(w, r, problemTooMany(1))
		return
	}
	done := release
	if keys, sent := r.Header["Idempotency-Key"]; sent {
		if len(keys) != 1 || !idempotencyKey.MatchString(keys[0]) {
			release()
			a.fail(w, r, problemInvalid("", "Idempotency-Key 应为 1 至 255 个可打印 ASCII 字符。", "Idempotency-Key has 1 to 255 printable ASCII characters."))
			return
		}
		v.Request = &rating.Request{Key: digest(clientOf(r) + "\x00" + keys[0]), Digest: digest(string(body))}
		free, err := a.single(r.Context(), v.Request.Key)
		if err != nil {
			release()
			a.failWith(w, r, err)
			return
		}
		done = func() { free(); release() }
		if before, ok := a.Journal.request(v.Request.Key); ok {
			done()
			a.replay(w, r, before, v.Request.Digest)
			return
		}
	}
	id, err := a.openVisit(r.Context(), v, done)
	if err != nil {
		a.failWith(w, r, err)
		return
	}
	a.opened(w, id)
}

// openVisit opens v and calls done when it is known whether that is done, which can be after openVisit has returned: a disk
// that stalls for longer than a client is kept waiting records the visit all the same, and who asks again with its key is to
// get that one. Nor does a client that goes away take its visit back.
func (a *api) openVisit(ctx context.Context, v rating.Visit, done func()) (rating.VisitID, error) {
	type result struct {
		id  rating.VisitID
		err error
	}
	opened := make(chan result, 1)
	go func() {
		defer done()
		id, err := a.Terminal.OpenVisit(context.WithoutCancel(ctx), v)
		opened <- result{id, err}
	}()
	timer := time.NewTimer(openTimeout)
	defer timer.Stop()
	select {
	case o := <-opened:
		return o.id, o.err
	case <-timer.C:
		return 0, errNotInTime
	}
}

func (a *api) opened(w http.ResponseWriter, id rating.VisitID) {
	w.Header().Set("Location", "/v1/visits/"+id.String())
	a.write(w, http.StatusCreated, map[string]string{"id": id.String()})
}

func (a *api) replay(w http.ResponseWriter, r *http.Request, before request, digest string) {
	if before.digest != digest {
		a.fail(w, r, problemKeyReused())
		return
	}
	w.Header().Set("Idempotency-Replayed", "true")
	a.opened(w, before.id)
}

// single returns once no other request with the same key is under way. An error says why that is not waited for any longer.
func (a *api) single(ctx context.Context, key string) (done func(), err error) {
	timer := time.NewTimer(openTimeout)
	defer timer.Stop()
	for {
		a.mu.Lock()
		under, busy := a.opening[key]
		if !busy {
			c := make(chan struct{})
			a.opening[key] = c
			a.mu.Unlock()
			return func() {
				a.mu.Lock()
				delete(a.opening, key)
				a.mu.Unlock()
				close(c)
			}, nil
		}
		a.mu.Unlock()
		select {
		case <-under:
		case <-timer.C:
			return nil, errNotInTime
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// digest returns 128 bits of the SHA-256 of s in hex: it tells requests apart, and a record is not the place for a PC's keys.
func digest(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:16])
}
