package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"haochaping/internal/rating"
)

// Name is a setting, as centrald.toml calls it.
type Name string

// Sort is what values a setting has.
type Sort string

// The sorts.
const (
	Count  Sort = "count"  // a whole number
	Switch Sort = "switch" // true or false
	Choice Sort = "choice" // one of a few words
	Text   Sort = "text"   // words to a citizen
	Words  Sort = "words"  // a line on boxes' screens: 中文 | English
)

// mostText bounds a text, in characters: some short messages.
const mostText = 300

// Kind describes a setting that a policy may set.
type Kind struct {
	Name        Name
	Sort        Sort
	ZH, EN      string
	Least, Most int      // of a count, whatever a policy says; Most also of words in Chinese
	Own         bool     // 0 leaves it to each box's own file
	Options     []string // of a choice
	Places      []string // that a text may have filled in
}

// Link is the place of an address, each centre's own.
const Link = "{link}"

// Kinds returns the settings that a policy may set, in the order of pages.
func Kinds() []Kind {
	return []Kind{
		{Name: "deadline.defaults", Sort: Switch, ZH: "五个工作日内未评价的默认基本满意", EN: "silence for five working days is rated by default"},
		{Name: "deadline.late_answers_replace", Sort: Switch, ZH: "逾期的评价取代默认评价", EN: "a late answer takes the default's place"},
		{Name: "deadline.silent_days", Sort: Count, ZH: "渠道多少个工作日没有评价即列为异常", EN: "working days until a silent channel is a finding",
			Most: 200},
		{Name: "orders.contact_days", Sort: Count, ZH: "联系评价人的时限（工作日）", EN: "working days until the citizen was reached", Least: 1, Most: 5},
		{Name: "orders.office_days", Sort: Count, ZH: "管理机构每一步的时限（工作日）", EN: "working days of each step of the office", Least: 1, Most: 5},
		{Name: "rate.reasons", Sort: Choice, ZH: "手机评价页的原因", EN: "reasons on the phone", Options: []string{"core", "extended"}},
		{Name: "deadline.sms.from", Sort: Choice, ZH: "短信最早几点发", EN: "messages go from", Options: []string{"08:30", "09:00", "09:30", "10:00"}},
		{Name: "deadline.sms.until", Sort: Choice, ZH: "短信最晚几点发", EN: "messages go until",
			Options: []string{"17:00", "17:30", "18:00", "18:30", "19:00", "19:30", "20:00"}},
		{Name: "figures.least_ranked", Sort: Count, ZH: "至少多少份评价才参加排名", EN: "answers that it takes to be ranked", Least: 30, Most: 1000},
		{Name: "deadline.sms.text", Sort: Text, ZH: "提醒评价的短信", EN: "message that reminds", Places: []string{"{matter}", "{letter}", Link}},
		{Name: "orders.follow_up_text", Sort: Text, ZH: "回访的短信", EN: "message that follows up", Places: []string{"{letter}", Link}},
		{Name: "orders.extension_text", Sort: Text, ZH: "延期的短信", EN: "message of an extension", Places: []string{"{day}", Link}},
		{Name: "orders.missed_text", Sort: Text, ZH: "电话未接通的短信", EN: "message after a missed call"},
		{Name: "orders.refused_text", Sort: Text, ZH: "不予采纳的短信", EN: "message that a rating was not adopted",
			Places: []string{Link}},
		{Name: "boxes.wait_seconds", Sort: Count, ZH: "评价器等待按键的秒数（0：各机自定）", EN: "seconds that a box waits for a key",
			Least: rating.LeastWait, Most: int(rating.MaxWait / time.Second), Own: true},
		{Name: "boxes.thanks_seconds", Sort: Count, ZH: "评价器致谢并可更正的秒数（0：各机自定）", EN: "seconds of a box's thanks",
			Least: rating.LeastThanks, Most: rating.MostThanks, Own: true},
		{Name: "boxes.reasons", Sort: Choice, ZH: "评价器按键后询问原因（own：各机自定）", EN: "whether boxes ask for reasons",
			Options: []string{"own", "on", "off"}},
		{Name: "boxes.reason_seconds", Sort: Count, ZH: "评价器询问每项原因的秒数（0：各机自定）", EN: "seconds for each reason on a box",
			Least: rating.LeastExplain, Most: rating.MostExplain, Own: true},
		{Name: "boxes.welcome", Sort: Words, ZH: "评价器屏幕：欢迎", EN: "on boxes' screens: welcome", Most: rating.MaxScreenText},
		{Name: "boxes.later", Sort: Words, ZH: "评价器屏幕：欢迎下方一行", EN: "on boxes' screens: below the welcome", Most: rating.MaxScreenText},
		{Name: "boxes.question", Sort: Words, ZH: "评价器屏幕：对服务的提问", EN: "on boxes' screens: the question", Most: rating.MaxQuestion},
		{Name: "boxes.matter_question", Sort: Words, ZH: "评价器屏幕：对事项的提问", EN: "on boxes' screens: the question about the matter",
			Most: rating.MaxQuestion},
		{Name: "boxes.thanks", Sort: Words, ZH: "评价器屏幕：记录后的致谢", EN: "on boxes' screens: the thanks once recorded", Most: rating.MaxScreenText},
	}
}

// KindOf returns the kind of a setting.
func KindOf(n Name) (Kind, bool) {
	i := slices.IndexFunc(Kinds(), func(k Kind) bool { return k.Name == n })
	if i < 0 {
		return Kind{}, false
	}
	return Kinds()[i], true
}

// Floor is the least value that may stand in a form.
func (k Kind) Floor() int {
	if k.Own {
		return 0
	}
	return k.Least
}

// Check reports why a value is none of the setting's.
func (k Kind) Check(value string) error {
	switch k.Sort {
	case Count:
		if k.Own && value == "0" {
			return nil
		}
		n, err := strconv.Atoi(value)
		if err != nil || strconv.Itoa(n) != value || n < k.Least || n > k.Most {
			return refuse(fmt.Sprintf("“%s”应为 %d 至 %d 的整数", k.ZH, k.Least, k.Most), fmt.Sprintf("%s: write %d to %d", k.Name, k.Least, k.Most))
		}
	case Switch:
		if value != "true" && value != "false" {
			return refuse(fmt.Sprintf("“%s”应为 true（是）或 false（否）", k.ZH), fmt.Sprintf("%s: write true or false", k.Name))
		}
	case Choice:
		if !slices.Contains(k.Options, value) {
			return refuse(fmt.Sprintf("“%s”应为 %s 之一", k.ZH, strings.Join(k.Options, "、")),
				fmt.Sprintf("%s: write one of %s", k.Name, strings.Join(k.Options, ", ")))
		}
	case Text:
		return k.checkText(value)
	case Words:
		if _, err := rating.ParseWords(value, k.Most); err != nil {
			return refuse(fmt.Sprintf("“%s”写作“中文 | English”，中文最多 %d 字，英文最多 %d 个字符", k.ZH, k.Most, rating.MaxScreenEnglish),
				fmt.Sprintf("%s: write 中文 | English, of at most %d and %d characters", k.Name, k.Most, rating.MaxScreenEnglish))
		}
	}
	return nil
}

func (k Kind) checkText(value string) error {
	rest := value
	for _, p := range k.Places {
		rest = strings.ReplaceAll(rest, p, "")
	}
	if !utf8.ValidString(value) || utf8.RuneCountInString(value) > mostText || strings.ContainsAny(rest, "{}\x00") {
		may := strings.Join(k.Places, " ")
		return refuse(fmt.Sprintf("“%s”最多 %d 字，可填入的只有：%s", k.ZH, mostText, cmp.Or(may, "（无）")),
			fmt.Sprintf("%s: at most %d characters, in which only these are filled in: %s", k.Name, mostText, cmp.Or(may, "none")))
	}
	return nil
}

// Setting is what a policy says of one setting. Without Lower nobody below may choose.
type Setting struct {
	Name    Name     `json:"name"`
	Value   string   `json:"value"`
	Lower   bool     `json:"lower_may_set,omitempty"`
	Least   *int     `json:"min,omitempty"`     // of a count
	Most    *int     `json:"max,omitempty"`     // of a count
	Allowed []string `json:"allowed,omitempty"` // of other sorts, none: all
}

// Check reports what is wrong with a setting.
func (s Setting) Check() error {
	k, ok := KindOf(s.Name)
	if !ok {
		return refuse(fmt.Sprintf("没有“%s”这项设置", s.Name), fmt.Sprintf("there is no setting %s", s.Name))
	}
	bounded := s.Least != nil || s.Most != nil || len(s.Allowed) > 0
	switch {
	case !s.Lower && bounded:
		return refuse(fmt.Sprintf("“%s”下级不得更改，却写了范围", k.ZH), fmt.Sprintf("%s: there are bounds, and nobody below may choose", s.Name))
	case k.Sort != Count && (s.Least != nil || s.Most != nil), k.Sort == Count && len(s.Allowed) > 0:
		return refuse(fmt.Sprintf("“%s”的范围写法不对：数字用 min、max，其他用 allowed", k.ZH),
			fmt.Sprintf("%s: bounds are min and max of a count, else allowed", s.Name))
	}
	for _, v := range s.Allowed {
		if err := k.Check(v); err != nil {
			return err
		}
	}
	return errors.Join(k.Check(s.Value), s.within(k, s.Value))
}

// May reports why a lower level may not choose a value.
func (s Setting) May(value string) error {
	k, ok := KindOf(s.Name)
	if !ok || !s.Lower {
		return refuse(fmt.Sprintf("“%s”由上级统一规定，本级不得更改", k.ZH), fmt.Sprintf("%s is set by the level above", s.Name))
	}
	if err := k.Check(value); err != nil {
		return err
	}
	return s.within(k, value)
}

func (s Setting) within(k Kind, value string) error {
	if len(s.Allowed) > 0 && !slices.Contains(s.Allowed, value) {
		return refuse(fmt.Sprintf("“%s”上级只允许：%s", k.ZH, strings.Join(s.Allowed, "、")),
			fmt.Sprintf("%s: the level above allows %s", s.Name, strings.Join(s.Allowed, ", ")))
	}
	n, err := strconv.Atoi(value)
	if k.Sort != Count || err != nil || k.Own && n == 0 && s.Least == nil && s.Most == nil {
		return nil
	}
	if least, most := s.Range(); n < least || n > most {
		return refuse(fmt.Sprintf("“%s”上级只允许 %d 至 %d", k.ZH, least, most),
			fmt.Sprintf("%s: the level above allows %d to %d", s.Name, least, most))
	}
	return nil
}

// Range returns the bounds of a count.
func (s Setting) Range() (least, most int) {
	k, _ := KindOf(s.Name)
	least, most = k.Least, k.Most
	if s.Least != nil {
		least = max(least, *s.Least)
	}
	if s.Most != nil {
		most = min(most, *s.Most)
	}
	return least, most
}

// Refusal is what somebody wants and may not have, in words for people.
type Refusal struct{ ZH, EN string }

// Error implements error.
func (r *Refusal) Error() string { return r.ZH + " · " + r.EN }

// Words returns them in each language.
func (r *Refusal) Words() (zh, en string) { return r.ZH, r.EN }

func refuse(zh, en string) error { return &Refusal{zh, en} }
