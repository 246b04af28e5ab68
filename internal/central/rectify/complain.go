package rectify

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// Way is how a complaint (投诉, article 16) came.
type Way string

// The ways.
const (
	InPerson  Way = "person"  // 来访
	ByHotline Way = "hotline" // 12345
	OnPaper   Way = "paper"   // 书面
	Online    Way = "online"  // 网上
)

// Ways returns all ways.
func Ways() []Way { return []Way{InPerson, ByHotline, OnPaper, Online} }

// Chinese returns the way as people read it.
func (w Way) Chinese() string {
	return map[Way]string{InPerson: "来访", ByHotline: "12345 热线", OnPaper: "书面", Online: "网上"}[w]
}

// Complaint is what an order's opening says of a complaint. Who complains and in which words stand apart.
type Complaint struct {
	Way         Way    `json:"way"`
	Number      string `json:"number,omitempty"`      // by which whoever took it knows it
	Retaliation bool   `json:"retaliation,omitempty"` // 打击报复 (article 21), which is a clue at once
	Against     string `json:"against,omitempty"`     // unit that a clue is about, which does not work on it
	Person      int64  `json:"person,omitempty"`      // row of the journal that says how the citizen is reached, 0: anonymous
}

// Complained is a complaint as somebody enters it.
type Complained struct {
	Way         Way
	Number      string
	Retaliation bool
	At          int64  // when the citizen complained, milliseconds since 1970-01-01 UTC
	Unit        string // that it is about, empty: not known yet
	Area        string // where that is if the unit is not known, 12 digits
	Matter      string
	Place       string // hall, window or person as the citizen calls them
	Words       string
	Contact     string // name and telephone number, empty: anonymous
}

// Bounds of a complaint, in characters, and how long ago the citizen may have complained.
const (
	MostLine = 120
	eldest   = 366 * 24 * time.Hour
	ahead    = 10 * time.Minute // of another machine's clock
)

// Locate completes a complaint's area from its unit. What is unknown is a Refusal.
func (o *Orders) Locate(ctx context.Context, c *Complained) error {
	c.Unit, c.Area = strings.TrimSpace(c.Unit), strings.TrimSpace(c.Area)
	a, err := o.cfg.Directory.Atlas(ctx)
	if err != nil {
		return err
	}
	today := directory.DayOf(o.cfg.Now())
	if c.Unit != "" {
		unit, ok := a.At(directory.Unit, c.Unit, today)
		if !ok {
			return refuse("机构信息中没有这个单位，请填写统一社会信用代码，或不填单位只填区划。", "The organisation has no such unit.")
		}
		c.Area = unit.Area
		return nil
	}
	if c.Area = rating.PadArea(c.Area); len(c.Area) != 12 || strings.Trim(c.Area, "0123456789") != "" {
		return refuse("请填写被投诉单位，或所在区划的 12 位代码。", "Name the unit, or the area by its 12 digits.")
	}
	return nil
}

// check returns what is wrong with a complaint.
func (c *Complained) check(now int64) error {
	for _, s := range []*string{&c.Number, &c.Matter, &c.Place, &c.Contact, &c.Words} {
		if *s = strings.TrimSpace(*s); !utf8.ValidString(*s) {
			return refuse("文字不是有效的 UTF-8。", "A text is no valid UTF-8.")
		}
	}
	for _, s := range []string{c.Number, c.Matter, c.Place, c.Contact} {
		if utf8.RuneCountInString(s) > MostLine {
			return refuse(fmt.Sprintf("编号、事项、地点和联系方式各不超过 %d 字。", MostLine), "Number, matter, place or contact is too long.")
		}
	}
	n := utf8.RuneCountInString(c.Words)
	switch {
	case !slices.Contains(Ways(), c.Way):
		return refuse("请选择投诉渠道。", "Say by which way it came.")
	case n < leastWords || n > MostWords:
		return refuse(fmt.Sprintf("请写明投诉内容（%d 至 %d 字）。", leastWords, MostWords), "Say what the complaint is about.")
	case c.At > now+ahead.Milliseconds() || c.At < now-eldest.Milliseconds():
		return refuse("投诉日期应在最近一年内。", "The complaint is from the future, or more than a year old.")
	}
	return nil
}

// Complain opens an order on a complaint, and reports whether it is new: a name that the account has used already opens nothing, and
// returns the order that there is. One of retaliation is a clue at once: the unit that it is about never sees it.
func (o *Orders) Complain(ctx context.Context, by By, name string, c Complained) (x Order, fresh bool, err error) {
	now := o.now()
	c.At = cmp.Or(c.At, now)
	if err := c.check(now); err != nil {
		return x, false, err
	}
	if c.Unit != "" || c.Area != "" { // else it lies nowhere, and is the province's
		if err := o.Locate(ctx, &c); err != nil {
			return x, false, err
		}
	}
	about, area, err := o.opening(ctx, by, name, c)
	if err != nil {
		return x, false, err
	}
	data, err := json.Marshal(about)
	if err != nil {
		return x, false, err
	}
	r, err := o.say(ctx, by.Account, "complaint "+name, journal.Act{Do: opens, By: by.Session, Data: data, Domain: area, Few: c.Retaliation},
		c.Words)
	if err != nil {
		return x, false, err
	}
	x, err = o.Order(ctx, r.Pos)
	return x, r.Entered, err
}

// opening returns what opens an order on a complaint, and where that is. How the citizen is reached is entered first: a row that no order
// names harms nobody.
func (o *Orders) opening(ctx context.Context, by By, name string, c Complained) (Opening, string, error) {
	x := Opening{At: o.now(), Days: Days, RatedAt: c.At, Matter: c.Matter, Place: c.Place,
		Complaint: &Complaint{Way: c.Way, Number: c.Number, Retaliation: c.Retaliation}}
	h := Handler{Unit: c.Unit, Area: c.Area, Named: c.Contact != ""}
	if c.Retaliation {
		x.Complaint.Against, h.Unit = c.Unit, ""
	}
	x.Handlers = []Handler{h}
	if !h.Named {
		return x, h.Area, nil
	}
	r, err := o.say(ctx, by.Account, "person of "+name, journal.Act{Do: persons, By: by.Session, Domain: h.Area, Few: c.Retaliation},
		c.Contact)
	x.Complaint.Person = r.Pos
	return x, h.Area, err
}

// Said returns what the citizen has said of a complaint, or journal.ErrErased.
func (o *Orders) Said(ctx context.Context, x Order) (string, error) {
	return o.cfg.Journal.Text(ctx, x.ID, 0)
}

// Person returns how the citizen is reached who has complained, empty if nobody knows, or journal.ErrErased.
func (o *Orders) Person(ctx context.Context, x Order) (string, error) {
	if x.About.Complaint == nil || x.About.Complaint.Person == 0 {
		return "", nil
	}
	return o.cfg.Journal.Text(ctx, x.About.Complaint.Person, 0)
}
