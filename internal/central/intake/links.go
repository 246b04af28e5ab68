package intake

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/cases"
	"haochaping/internal/central/link"
	"haochaping/internal/rating"
	"haochaping/qrcode"
)

// Links writes links for cases at a base address, as "https://rate.example.com".
type Links struct {
	Keeper *link.Keeper
	Base   string // empty: none can be written
	Now    func() time.Time
}

// ErrNoBase says that it is not configured where phones find the page.
var ErrNoBase = errors.New("rate.base is not set: it is the address at which phones find the rating page")

// Write returns the address of a link that can be used for link.Life, and when it ends.
func (l Links) Write(c link.Claim) (url string, expires time.Time, err error) {
	if l.Base == "" {
		return "", time.Time{}, ErrNoBase
	}
	expires = l.Now().Add(link.Life).Truncate(time.Minute)
	c.Expires = expires.Unix() / 60
	token, err := l.Keeper.Write(c)
	return l.Base + link.Path + token, expires, err
}

// wanted is a link as a system asks for it.
type wanted struct {
	Area      string         `json:"area"`
	ProjectNo string         `json:"project_no"`
	Channel   rating.Channel `json:"channel"`
	Return    string         `json:"return"`
	QR        bool           `json:"qr"`
	// Window is the place where a service was given, where no box asks. The page then asks about its person too.
	Window *window      `json:"window"`
	Staff  rating.Staff `json:"staff"`
}

type window struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Hall string `json:"hall"`
	Area string `json:"area"`
}

// written is the answer: the link, when it ends, and if asked for its QR code as a PNG.
type written struct {
	URL     string `json:"url"`
	Expires string `json:"expires_at"`
	QR      string `json:"qr_png,omitempty"`
}

// claim returns what a link is to be for. A portal's page leads to the matter alone; at a window without a box a link is for one service
// there.
func (l wanted) claim(who cases.Holder) (link.Claim, error) {
	c := link.Claim{Channel: l.Channel, Source: who.Name, Return: l.Return}
	if l.Area != "" || l.ProjectNo != "" {
		c.Case = rating.CaseKey{Area: rating.PadArea(l.Area), Project: l.ProjectNo}
	}
	if l.Window == nil {
		if !slices.Contains([]rating.Channel{rating.Portal, rating.App, rating.MiniProgram}, l.Channel) {
			return c, errors.New("channel is portal, app or mini_program; a link for a window has window instead")
		}
		return c, c.Check()
	}
	if l.Channel != "" {
		return c, errors.New("a link for a window has no channel: it is a phone's")
	}
	c.Channel = rating.Phone
	c.Visit = &link.Visit{Window: rating.Window{ID: l.Window.ID, Name: l.Window.Name, Hall: l.Window.Hall, Area: rating.PadArea(l.Window.Area),
		Generation: 1}, Staff: l.Staff}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	c.Visit.ID = rating.VisitID(binary.BigEndian.Uint64(b[:]) | 1)
	return c, c.Check()
}

// LinksHandler serves POST /v1/links (事项办理完成后,调用统一的评价页面, article 11). A link is the permission to rate, and is in no log.
func LinksHandler(door cases.Door, links Links) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in wanted
		who, ok := door.ReadBody(w, r, "links", &in)
		if !ok {
			return
		}
		c, err := in.claim(who)
		if err == nil && (c.Case != rating.CaseKey{} && !who.Has(c.Case.Area) || c.Visit != nil && !who.Has(c.Visit.Window.Area)) {
			err = errors.New("no such case is known")
		}
		if err != nil {
			door.Answer(w, http.StatusUnprocessableEntity, cases.Problem{Code: "invalid",
				Message: "未能生成链接，请按接口说明更正。 No link was made: " + err.Error()})
			return
		}
		out := written{}
		var expires time.Time
		if out.URL, expires, err = links.Write(c); err == nil && in.QR {
			out.QR, err = png(out.URL)
		}
		switch {
		case errors.Is(err, ErrNoBase):
			door.Answer(w, http.StatusNotImplemented, cases.Problem{Code: "no_base",
				Message: "中心未配置评价页地址，请联系中心管理员。 Ask the centre's administrator: " + err.Error()})
			return
		case err != nil:
			door.Fail(w, r, err)
			return
		}
		out.Expires = expires.In(rating.Shanghai()).Format(time.RFC3339)
		door.Answer(w, http.StatusOK, out)
	})
}

// png returns a link's QR code as a PNG in base64.
func png(url string) (string, error) {
	b, err := qrcode.PNG(strings.ToUpper(url), 6) // a code packs capitals best, and neither scheme, host nor token minds
	if err != nil {
		return "", fmt.Errorf("draw a link: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b), nil
}
