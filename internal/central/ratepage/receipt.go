package ratepage

import (
	"net/http"
	"strings"

	"haochaping/internal/central/link"
)

// receiptOf returns where a citizen sees what becomes of what a row of the journal holds, empty if nothing does. Only whoever has sent that
// row gets it: the code at the window opens for others too.
func (p *Page) receiptOf(row int64) string {
	if p.cfg.Orders == nil || p.cfg.Receipt == nil || row == 0 {
		return ""
	}
	token, err := p.cfg.Links.WriteTold(link.Told{About: p.cfg.Receipt(row), Receipt: true, Expires: p.cfg.Now().Add(link.Life).Unix() / 60})
	if err != nil {
		p.cfg.Logger.Error("rating page: write a receipt", "err", err)
		return ""
	}
	return token
}

// withReceipt returns a notice that leads to the receipt which the request's address names, if it names one of ours.
func (p *Page) withReceipt(r *http.Request, n notice) notice {
	token := r.URL.Query().Get("receipt")
	if claim, err := p.cfg.Links.ReadTold(token); err == nil && claim.Receipt {
		n.Receipt = link.ToldPath + token
	}
	return n
}

// kept returns an address with the receipt of a row in it.
func (p *Page) kept(address string, row int64) string {
	token := p.receiptOf(row)
	switch {
	case token == "":
		return address
	case strings.Contains(address, "?"):
		return address + "&receipt=" + token
	}
	return address + "?receipt=" + token
}
