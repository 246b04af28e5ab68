package directory

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"haochaping/internal/rating"
)

// Kind is a kind of thing in the organisation.
type Kind string

// The kinds, from above to below.
const (
	Area   Kind = "area"
	Unit   Kind = "unit"
	Hall   Kind = "hall"
	Window Kind = "window"
	Staff  Kind = "staff"
)

// Kinds returns all kinds, each after those that it may name.
func Kinds() []Kind { return []Kind{Area, Unit, Hall, Window, Staff} }

// Chinese returns the kind's name.
func (k Kind) Chinese() string {
	switch k {
	case Area:
		return "区划"
	case Unit:
		return "单位"
	case Hall:
		return "大厅"
	case Window:
		return "窗口"
	case Staff:
		return "人员"
	}
	return string(k)
}

// Record says how one thing is for a period. A change of name, unit or place is another record of the same ID.
type Record struct {
	Kind Kind   `json:"kind"`
	ID   string `json:"id"` // an area's 12 digits, a unit's credit code, and the own number of halls, windows and staff in all of the centre
	Period
	Name   string `json:"name"`
	Area   string `json:"area,omitempty"`   // where a unit or hall is
	Unit   string `json:"unit,omitempty"`   // above a unit; that runs a hall, serves at a window (else the hall's), employs a person
	Hall   string `json:"hall,omitempty"`   // of a window
	Window string `json:"window,omitempty"` // at which a person serves, if always there
	Office string `json:"office,omitempty"` // of a unit: the office responsible (article 7); of a person: the department
	Person string `json:"person,omitempty"` // of a unit: who is responsible (article 7)
	Phone  string `json:"phone,omitempty"`  // of a unit's office
}

// key names a record.
type key struct {
	kind Kind
	id   string
	from Day
}

func (r Record) key() key { return key{r.Kind, r.ID, r.From} }

// String returns how a record is called in messages.
func (r Record) String() string { return fmt.Sprintf("%s %s %s", r.Kind.Chinese(), r.ID, r.Name) }

// ref is what a record names.
type ref struct {
	kind Kind
	id   string
}

// refs returns what the record names, but for the area above an area.
func (r Record) refs() []ref {
	var all []ref
	for _, x := range []ref{{Area, r.Area}, {Unit, r.Unit}, {Hall, r.Hall}, {Window, r.Window}} {
		if x.id != "" {
			all = append(all, x)
		}
	}
	return all
}

// field is a column of a record.
type field struct {
	name   string // in files
	header string // in Chinese
	at     func(*Record) *string
	needed []Kind // must have it
	may    []Kind // may have it, besides
}

// fields returns the columns besides kind, ID and days, in the order of files.
func fields() []field {
	return []field{
		{"name", "名称", func(r *Record) *string { return &r.Name }, Kinds(), nil},
		{"area", "区划代码", func(r *Record) *string { return &r.Area }, []Kind{Unit, Hall}, nil},
		{"unit", "所属单位", func(r *Record) *string { return &r.Unit }, []Kind{Hall, Staff}, []Kind{Unit, Window}},
		{"hall", "大厅", func(r *Record) *string { return &r.Hall }, []Kind{Window}, nil},
		{"window", "窗口", func(r *Record) *string { return &r.Window }, nil, []Kind{Staff}},
		{"office", "责任处室", func(r *Record) *string { return &r.Office }, nil, []Kind{Unit, Staff}},
		{"person", "责任人", func(r *Record) *string { return &r.Person }, nil, []Kind{Unit}},
		{"phone", "电话", func(r *Record) *string { return &r.Phone }, nil, []Kind{Unit}},
	}
}

// Column is a field as files and forms name it.
type Column struct {
	Name, Chinese string
	Needed        bool
}

// FieldsOf returns the fields that a kind may have, besides ID and days.
func FieldsOf(k Kind) (all []Column) {
	for _, f := range fields() {
		if needed := slices.Contains(f.needed, k); needed || slices.Contains(f.may, k) {
			all = append(all, Column{f.name, f.header, needed})
		}
	}
	return all
}

// Columns returns the columns of files, in their order.
func Columns() (all []Column) {
	for _, h := range heads() {
		all = append(all, Column{Name: h[0], Chinese: h[1]})
	}
	return all
}

// Value returns a field of a record by its column's name.
func Value(r Record, column string) string {
	for _, f := range fields() {
		if f.name == column {
			return *f.at(&r)
		}
	}
	return ""
}

// clean writes codes as they are kept and returns why a record cannot be, by itself. What it names is checked with all others.
func (r *Record) clean() []Fault {
	var all []Fault
	add := func(err error) {
		if err != nil {
			all = append(all, asFault(err))
		}
	}
	if r.From >= r.To {
		add(faultf("失效日期 %s 不晚于生效日期 %s（失效日期是不再有效的第一天）", "it ends on %s, not after it begins on %s; the end is the first day on which it holds "+
			"no more", r.To, r.From))
	}
	var err error
	switch r.Kind {
	case Area:
		r.ID, err = ParseArea(r.ID)
	case Unit:
		r.ID, err = ParseCreditCode(r.ID)
	case Hall, Window, Staff:
		err = checkID(r.ID)
	default:
		err = faultf("类别 %q 不是区划、单位、大厅、窗口、人员之一", "the kind %q is none of area, unit, hall, window, staff", r.Kind)
	}
	add(err)
	if r.Area != "" {
		r.Area, err = ParseArea(r.Area)
		add(err)
	}
	if r.Unit != "" {
		r.Unit, err = ParseCreditCode(r.Unit)
		add(err)
	}
	for _, f := range fields() {
		add(f.check(r))
	}
	return all
}

// check returns why the field's value cannot be kept.
func (f field) check(r *Record) error {
	v := *f.at(r)
	needed := slices.Contains(f.needed, r.Kind)
	switch {
	case v == "" && needed:
		return faultf("缺少%[1]s", "the %[2]s is missing", f.header, f.name)
	case v != "" && !needed && !slices.Contains(f.may, r.Kind):
		return faultf("%[2]s没有“%[1]s”一栏，请留空", "a %[4]s has no %[3]s; leave it empty", f.header, r.Kind.Chinese(), f.name, string(r.Kind))
	}
	return checkName(f.header, f.name, v)
}

// checkID returns why a number cannot be that of a hall, window or person: it stands in records of boxes too.
func checkID(s string) error {
	if s == "" {
		return faultf("缺少编号", "the ID is missing")
	}
	if len(s) > rating.MaxCode {
		return faultf("编号超过 %d 个字符", "the ID has more than %d characters", rating.MaxCode)
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || strings.IndexByte(`"'/\,;=<>&?#%`, s[i]) >= 0 {
			return faultf("编号 %q 只能用字母、数字和 - _ . : 等，不含空格和汉字", "the ID %q may have letters, digits and - _ . : only", s)
		}
	}
	if strings.IndexByte("+-@.", s[0]) >= 0 {
		return faultf("编号 %q 须以字母或数字开头", "the ID %q must begin with a letter or digit", s)
	}
	return nil
}

// checkName returns why a text cannot be shown.
func checkName(header, name, s string) error {
	if n := utf8.RuneCountInString(s); n > rating.MaxName {
		return faultf("%[1]s有 %[3]d 个字，最多 %[4]d 个", "the %[2]s has %[3]d characters, at most %[4]d are allowed", header, name, n, rating.MaxName)
	}
	bad := strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError || r == '\u2028' || r == '\u2029'
	})
	if bad || strings.TrimSpace(s) != s {
		return faultf("%[1]s %[3]q 含控制字符、乱码或首尾空格", "the %[2]s %[3]q has control characters, broken characters, or spaces around it", header, name,
			s)
	}
	if strings.HasPrefix(s, "=") {
		return faultf("%[1]s %[3]q 是公式，请改为数值", "the %[2]s %[3]q is a formula; write its value", header, name, s)
	}
	return nil
}
