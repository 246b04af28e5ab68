package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/enrol"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/scope"
	"haochaping/internal/rating"
)

// accept lets boxes in, each for its window.
func (p *pages) accept(c *web.Call) error {
	if p.Enrol == nil || p.Enrol.Authority() == nil {
		return web.ErrNotFound
	}
	ctx, hall := c.R.Context(), c.R.PathValue("hall")
	if err := c.R.ParseForm(); err != nil {
		return &web.Refusal{Words: "表单不完整，请重试。The form is not complete."}
	}
	codes, windows := c.R.PostForm["code"], c.R.PostForm["window"]
	if len(codes) == 0 || len(codes) != len(windows) || len(codes) > mostCodes {
		return &web.Refusal{Words: "请先输入评价器屏幕上的配对码。Type the code on the box's screen first."}
	}
	for i, w := range windows {
		if same := func(x string) bool { return firstWord(x) == firstWord(w) }; w == "" || slices.ContainsFunc(windows[:i], same) {
			return conflict("每台评价器须选一个不同的窗口，没有接受任何一台。Choose another window for each box; none was accepted.")
		}
	}
	posts, err := p.Directory.Posts(ctx, directory.DayOf(c.Now()))
	if err != nil {
		return err
	}
	done := url.Values{"hall": {hall}}
	for i, code := range codes {
		d, err := p.acceptOne(c, posts, hall, code, windows[i])
		if err != nil && i > 0 {
			var refusal *web.Refusal
			if errors.As(err, &refusal) {
				refusal.Words = fmt.Sprintf("前 %d 台已接受，第 %d 台没有：%s", i, i+1, refusal.Words)
			}
		}
		if err != nil {
			return err
		}
		done.Add("done", string(d))
	}
	return c.See("/fleet/enrol?" + done.Encode())
}

func (p *pages) acceptOne(c *web.Call, posts *directory.Posts, hall, code, window string) (rating.DeviceID, error) {
	end := c.Undisturbed()
	defer end()
	ctx := c.R.Context()
	window, old, replaces := strings.Cut(window, " ")
	x, err := p.Enrol.Look(ctx, c.Person.Account, code)
	if errors.Is(err, enrol.ErrNoCode) {
		return "", conflict("没有评价器正在显示配对码 " + code + "：它已被接受，或配对码已更换，请看屏幕。No box shows this code now.")
	}
	if errors.Is(err, enrol.ErrGuessed) {
		return "", guessed()
	}
	if err != nil {
		return "", err
	}
	a, err := p.atlas(c)
	if err != nil {
		return "", err
	}
	place, ok := a.Window(window, directory.DayOf(c.Now()))
	if !ok || place.Hall.ID != hall {
		return "", conflict("窗口 " + window + " 不在这个大厅。The window is not of this hall.")
	}
	d := fleet.Device{ID: x.Device, Key: x.Record, EnrolledAt: c.Now()}
	before, err := p.Fleet.Device(ctx, x.Device)
	switch {
	case err == nil && !c.May(account.EditBoxes, standsAt(a, before, c.Now())):
		return "", conflict("这台评价器登记在您管理范围以外的窗口，请联系设备运维。The box serves a window that is not within your role.")
	case err == nil:
		d = before
	case !errors.Is(err, fleet.ErrNoDevice):
		return "", err
	}
	if replaces {
		return x.Device, p.acceptInPlaceOf(c, a, x, rating.DeviceID(old), place)
	}
	w, people, err := posts.Texts(window)
	if err != nil {
		return "", err
	}
	if d.Window.ID != window || !d.Follows {
		d.Window.Generation++
		d = d.Serve(w, people)
	}
	// The enrolment first: who does this twice changes nothing, and a box that is accepted is always one of the fleet. Both transactions
	// ask anew what others may have changed since the page was read: whether the window is free, whether the box still waits, and whether
	// it is still meant for this window.
	err = p.Fleet.PutIf(ctx, d, func(ctx context.Context, tx *db.Tx) error {
		if err := fleet.Free(ctx, tx, d); err != nil {
			return err
		}
		return enrol.Waits(ctx, tx, x)
	})
	if err != nil {
		return "", accepting(err)
	}
	data, err := json.Marshal(enrol.Acceptance{Window: window, Digits: x.Digits, Address: x.Address, Board: x.Board, Moved: x.Moved})
	if err != nil {
		return "", err
	}
	act := journal.Act{Do: "enrol.accept", Object: string(x.Device), Data: data, Domain: place.Hall.Area}
	err = c.Act(act, func(ctx context.Context, tx *db.Tx, _ int64) error {
		there, err := fleet.Serves(ctx, tx, x.Device, window)
		if err != nil {
			return err
		}
		if !there {
			return errElsewhere
		}
		return enrol.Accept(ctx, tx, x, hall, window, c.Person.Account, c.Now())
	})
	return x.Device, accepting(err)
}

// errElsewhere says that somebody else has accepted the box for another window in the same moment.
var errElsewhere = errors.New("the box serves another window")

// accepting says in words why a box could not be accepted.
func accepting(err error) error {
	var taken *fleet.TakenError
	switch {
	case errors.As(err, &taken) && taken.What == "key":
		return conflict("这台评价器的密钥已登记为 " + string(taken.By) + "：存储卡可能是复制的，请重新写卡。Its card may be a copy of another box's.")
	case errors.As(err, &taken):
		return conflict("这个窗口已有评价器 " + string(taken.By) + "。The window has a box already.")
	case errors.Is(err, enrol.ErrNoCode):
		return conflict("这台评价器刚刚已被接受。The box was accepted a moment ago.")
	case errors.Is(err, errElsewhere), errors.Is(err, fleet.ErrGeneration):
		return conflict("另一位管理员刚刚为这台评价器选了别的窗口，请刷新后再看。Somebody else has chosen another window for it.")
	}
	return err
}

// standsAt returns where an enrolled box stands. One that was entered by hand stands at the organisation's window of that id, else in the
// area that was said.
func standsAt(a *directory.Atlas, d fleet.Device, now time.Time) account.Object {
	if d.Follows {
		return scope.At(a, d.ID, d.Window, now)
	}
	if p, ok := a.Window(d.Window.ID, directory.DayOf(now)); ok {
		return scope.ObjectOf(p)
	}
	return account.Object{Area: d.Window.Area}
}
