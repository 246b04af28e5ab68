package ratepage

import (
	"net/http"

	"haochaping/qrcode"
)

// log reports a failure. The token is left out: whoever reads the log could rate with it.
func (p *Page) log(r *http.Request, doing string, c qrcode.Claim, err error) {
	if r.Context().Err() != nil {
		return // the phone went away
	}
	p.cfg.Logger.Error("rating page: "+doing, "device", c.Device, "visit", c.Visit, "err", err)
}

func (p *Page) fail(w http.ResponseWriter, r *http.Request, doing string, c qrcode.Claim, err error) {
	p.log(r, doing, c, err)
	p.say(w, outOfOrder)
}
