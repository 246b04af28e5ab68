package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"haochaping/internal/rating"
)

// Change is what differs between two policies.
type Change struct {
	What   string `json:"what"`
	Before string `json:"before"` // empty: nothing is said
	After  string `json:"after"`
}

// Compare returns what a policy changes beside the one before, nil: there is none.
func Compare(before *Document, after Document) []Change {
	if before == nil {
		before = &Document{}
	}
	var all []Change
	add := func(what, b, a string) {
		if b != a {
			all = append(all, Change{what, b, a})
		}
	}
	add("标题", before.Title, after.Title)
	add("生效日", before.From, after.From)
	add("有效期至", before.Until, after.Until)
	add("原因目录", catalogueText(before.Catalogue), catalogueText(after.Catalogue))
	years := make(map[int]bool)
	for _, n := range append(append([]rating.Notice(nil), after.Calendars...), before.Calendars...) {
		if !years[n.Year] {
			years[n.Year] = true
			add(fmt.Sprintf("%d 年工作日历", n.Year), noticeText(*before, n.Year), noticeText(after, n.Year))
		}
	}
	for _, k := range Kinds() {
		b, _ := before.Setting(k.Name)
		a, _ := after.Setting(k.Name)
		add(k.ZH, b.Words(), a.Words())
	}
	return all
}

// Words says a setting in a line, empty of none.
func (s Setting) Words() string {
	if s.Name == "" {
		return ""
	}
	return s.Value + "，" + s.Bounds()
}

// Bounds says within what a lower level may choose.
func (s Setting) Bounds() string {
	k, _ := KindOf(s.Name)
	switch {
	case !s.Lower:
		return "下级不得更改"
	case k.Sort == Count:
		least, most := s.Range()
		return fmt.Sprintf("下级可定 %d 至 %d", least, most)
	case len(s.Allowed) > 0:
		return "下级可定：" + strings.Join(s.Allowed, "、")
	case k.Sort == Choice:
		return "下级可定：" + strings.Join(k.Options, "、")
	}
	return "下级可定"
}

func catalogueText(c *rating.Catalogue) string {
	if c == nil {
		return ""
	}
	b, _ := json.Marshal(c) // it was checked, and holds texts and numbers alone
	return fmt.Sprintf("第 %d 版，%d 条（%s）", c.Version, len(c.Reasons), Signed{Policy: string(b)}.Hash()[:8])
}

func noticeText(d Document, year int) string {
	for _, n := range d.Calendars {
		if n.Year == year {
			return fmt.Sprintf("%s：休 %s；班 %s", n.Source, strings.Join(n.Off, " "), strings.Join(n.Work, " "))
		}
	}
	return ""
}

// Previewed is what a policy would change.
type Previewed struct {
	Changes []Change
	Hash    string // of what would be signed
}

// Preview returns what a policy would change beside the last one, or why it cannot be issued.
func (r *Room) Preview(ctx context.Context, d Document) (p Previewed, err error) {
	s, err := Sign(d, r.cfg.Own)
	if err != nil {
		return p, err
	}
	all, err := r.After(ctx, 0)
	if err != nil {
		return p, err
	}
	var last *Document
	if len(all) > 0 {
		last = &all[len(all)-1].Document
	}
	if last != nil && d.Number <= last.Number {
		return p, ErrMeanwhile
	}
	return Previewed{Compare(last, d), s.Hash()}, nil
}
