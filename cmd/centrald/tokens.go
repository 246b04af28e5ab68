package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"os"
	"slices"
	"strings"

	"haochaping/internal/central/cases"
	"haochaping/internal/cli"
)

// tokens is a file with a line for each business system: its name, the SHA-256 of its token as passwords has it, and if they are bounded
// area=PREFIX and doors=DOOR,DOOR.
type tokens struct {
	path string
	log  *slog.Logger
}

type token struct {
	cases.Holder
	sum [sha256.Size]byte
}

// Holder implements cases.Tokens. It reads the file at each request; one that cannot be read lets nobody in.
func (p tokens) Holder(said string) (h cases.Holder, ok bool) {
	known, err := p.read()
	if err != nil {
		p.log.Error("no business system is let in", "error", err)
		return h, false
	}
	got := sha256.Sum256([]byte(said))
	for _, k := range known {
		if subtle.ConstantTimeCompare(got[:], k.sum[:]) == 1 {
			h, ok = k.Holder, true
		}
	}
	return h, ok
}

// knows reports whether a token is one of the file's, whatever bounds it.
func (p tokens) knows(said string) bool {
	_, ok := p.Holder(said)
	return ok
}

func (p tokens) read() ([]token, error) {
	text, err := os.ReadFile(p.path)
	if err != nil {
		return nil, cli.Because(err, "读不到令牌", "the tokens cannot be read")
	}
	all, err := parseTokens(string(text))
	if err != nil {
		return nil, cli.Errorf("%s %v", "%s %v", p.path, err)
	}
	return all, nil
}

func parseTokens(text string) ([]token, error) {
	var plain strings.Builder
	bounds := make(map[string]cases.Holder)
	n := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		n++
		words := strings.Fields(line)
		if len(words) > 2 && !strings.HasPrefix(words[0], "#") {
			h, err := tokenBounds(words[0], words[2:])
			if err != nil {
				return nil, cli.Errorf("第 %d 行：%v", "line %d: %v", n, err)
			}
			bounds[h.Name] = h
			words = words[:2]
		}
		plain.WriteString(strings.Join(words, " ") + "\n")
	}
	sums, err := parsePasswords(plain.String())
	if err != nil {
		return nil, err
	}
	var all []token
	for name, sum := range sums {
		if name == "file" { // the journal has under it what comes from deadline.sms.replies_file
			return nil, cli.Error("名称 file 已有他用；请给该系统另起一个", "the name file is taken; give the system another one")
		}
		h := bounds[string(name)]
		h.Name = string(name)
		all = append(all, token{h, sum})
	}
	return all, nil
}

// tokenBounds reads what bounds a token. Its errors repeat no word, which may be the token.
func tokenBounds(name string, words []string) (cases.Holder, error) {
	h := cases.Holder{Name: name}
	for _, w := range words {
		area, ok := strings.CutPrefix(w, "area=")
		if ok && area != "" && len(area) <= 12 && strings.Trim(area, "0123456789") == "" && h.Area == "" {
			h.Area = area
			continue
		}
		doors, ok := strings.CutPrefix(w, "doors=")
		if !ok || h.Doors != nil {
			return h, cli.Error("SHA-256 之后写得不对；只能写 area=（区划的前几位数字）和 doors=，各一次",
				"what follows the hash is wrong; write area=, the first digits of an area, and doors=, once each")
		}
		h.Doors = strings.Split(doors, ",")
		if slices.ContainsFunc(h.Doors, func(d string) bool { return !slices.Contains(cases.Doors(), d) }) {
			return h, cli.Errorf("没有这样的 doors；可写 %s", "there is no such door; doors are %s", strings.Join(cases.Doors(), ", "))
		}
	}
	return h, nil
}
