package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// root hands out the root certificate, by which a window's PC knows its box.
func (p *pages) root(c *web.Call) error {
	if !p.lets() {
		return web.ErrNotFound
	}
	h := c.W.Header()
	h.Set("Content-Type", "application/x-x509-ca-cert")
	h.Set("Content-Disposition", `attachment; filename="haochaping-root.crt"`)
	_, err := c.W.Write(p.Enrol.Authority().RootPEM())
	return err
}

// tokenView is the page that shows a PC's token, once.
type tokenView struct {
	Device           rating.DeviceID
	Name, ID, Secret string
}

// mostToken bounds the name of a PC in characters, as the box does.
const mostToken = 60

// addToken draws a token for a PC of a box's window. The box gets its hash, the journal its ID, and the person sees it now.
func (p *pages) addToken(c *web.Call) error {
	id, name := rating.DeviceID(c.R.PathValue("device")), strings.TrimSpace(c.R.PostFormValue("name"))
	if name == "" || utf8.RuneCountInString(name) > mostToken || strings.ContainsFunc(name, unicode.IsControl) {
		return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "请写这台电脑的名称（1 至 60 字），如“A12 窗口电脑”。Name the PC."}
	}
	v := tokenView{Device: id, Name: name, Secret: "hcp_" + p.Random() + p.Random()}
	sum := sha256.Sum256([]byte(v.Secret))
	other := sha256.Sum256([]byte("id of " + v.Secret))
	v.ID = hex.EncodeToString(other[:4])
	x := fleet.NewCommand(p.Random(), id, wire.CommandAddToken, c.Person.Account, c.Now())
	x.Args = map[string]string{"id": v.ID, "name": name, "hash": hex.EncodeToString(sum[:])}
	data, err := json.Marshal(map[string]string{"id": v.ID, "name": name})
	if err != nil {
		return err
	}
	if err := p.order(c, x, journal.Act{Do: "fleet." + x.Name, Object: string(id), Data: data}); err != nil {
		return err
	}
	return c.Show("fleet/token", v)
}

// dropToken ends a PC's token.
func (p *pages) dropToken(c *web.Call) error {
	id, token := rating.DeviceID(c.R.PathValue("device")), strings.ToLower(strings.TrimSpace(c.R.PostFormValue("token")))
	if b, err := hex.DecodeString(token); err != nil || len(b) != 4 {
		return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "令牌编号是八位十六进制数字，发放时显示过。The token's ID has eight hexadecimal digits."}
	}
	x := fleet.NewCommand(p.Random(), id, wire.CommandDropToken, c.Person.Account, c.Now())
	x.Args = map[string]string{"id": token}
	data, err := json.Marshal(x.Args)
	if err != nil {
		return err
	}
	return p.give(c, x, journal.Act{Do: "fleet." + x.Name, Object: string(id), Data: data})
}
