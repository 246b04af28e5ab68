package dossiers

import (
	"encoding/json"
	"fmt"
	"net/url"

	"haochaping/internal/central/assess"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/integrity"
	"haochaping/internal/central/report"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

// evidence is what was found, in words.
type evidence struct {
	Rule   string `json:"rule,omitempty"`
	Source string `json:"source,omitempty"`
	Days   string `json:"days,omitempty"`
	Lines  []line `json:"lines"`
	Else   string `json:"else,omitempty"` // what else may be behind it
	Look   string `json:"look,omitempty"` // what to look at
	See    []see  `json:"see,omitempty"`  // for those who see evaluations
	List   string `json:"-"`              // address of a list of evaluations, likewise
	Table  *table `json:"table,omitempty"`
	Open   string `json:"open,omitempty"` // where everybody reads it, empty: nowhere yet
}

// see is where an evaluation is shown.
type see struct {
	Name string `json:"-"`
	ID   int64  `json:"evaluation"`
	Path string `json:"-"`
}

// table is numbers that are shown as a table.
type table struct {
	Caption string   `json:"-"`
	First   string   `json:"-"` // the head of names
	Heads   []string `json:"heads"`
	Rows    []cells  `json:"rows"`
}

type cells struct {
	Depth int      `json:"depth"`
	Name  string   `json:"name"`
	Cells []string `json:"cells"`
}

// line is a piece of evidence.
type line struct {
	Words string `json:"words"`
	Value string `json:"value"`
}

// evidence returns what was found, as far as the person may see it.
func (p *pages) evidence(c *web.Call, k dossier.Kept) (e evidence, err error) {
	e.Lines = []line{}
	switch k.Kind {
	case dossier.Sign:
		return signOf(c, k)
	case dossier.Publication:
		return releaseOf(k)
	case dossier.Mend, dossier.Problem, dossier.Sheet:
		return proposalOf(k)
	}
	return e, nil
}

// signOf returns the evidence of a sign.
func signOf(c *web.Call, k dossier.Kept) (e evidence, err error) {
	var f integrity.Finding
	if err := json.Unmarshal(k.Found, &f); err != nil {
		return e, fmt.Errorf("dossier %d: %w", k.ID, err)
	}
	e = evidence{Days: fmt.Sprintf("%s 至 %s", f.Days.From, f.Days.To-1), Lines: []line{}}
	if r, ok := integrity.RuleOf(f.Rule); ok {
		e.Rule, e.Source, e.Else, e.Look = r.Means, r.Source, r.Else, r.Look
	}
	for _, l := range f.Lines {
		e.Lines = append(e.Lines, line(l))
	}
	switch sees := c.May(account.SeeEvaluations, objectOf(k.Dossier)); {
	case sees && f.Day != 0:
		e.List = fmt.Sprintf("/evaluations?from=%s&to=%s&window=%s&channel=%s", f.Day, f.Day, url.QueryEscape(f.Window), rating.Phone)
	case sees && f.Rule != integrity.PhoneBurst: // which are of one phone nobody is to know for longer than the tags last
		for i, id := range f.Examples {
			e.See = append(e.See, see{fmt.Sprintf("第 %d 份评价", i+1), id, fmt.Sprintf("/evaluations/of/%d", id)})
		}
	}
	return e, nil
}

// releaseOf returns what is published, as everybody reads it.
func releaseOf(k dossier.Kept) (e evidence, err error) {
	r, err := report.ReleaseOf(k)
	if err != nil {
		return e, err
	}
	e = evidence{Days: fmt.Sprintf("%s 至 %s", r.Days.From, r.Days.To-1), Source: "办法第十九条", Lines: []line{{"版本", fmt.Sprint(r.Version)},
		{"统计到日志", fmt.Sprintf("第 %d 行", r.Pos)}}, Table: &table{Caption: "发布的数字", First: "名称", Heads: report.Yearly{}.Heads()}}
	for _, l := range r.Lines() {
		e.Table.Rows = append(e.Table.Rows, cells{l.Depth, l.Name, l.Cells})
	}
	if k.State == dossier.Published {
		e.Open = fmt.Sprintf("/published/%d", k.ID)
	}
	return e, nil
}

// proposalOf returns what an order to mend or a task is about.
func proposalOf(k dossier.Kept) (e evidence, err error) {
	var f assess.Found
	if err := json.Unmarshal(k.Found, &f); err != nil {
		return e, fmt.Errorf("dossier %d: %w", k.ID, err)
	}
	e = evidence{Rule: f.Rule, Source: f.Source, Days: fmt.Sprintf("%s 至 %s", f.Days.From, f.Days.To-1), Lines: []line{},
		Else: "所办事项难易不同；来人不同。", Look: "评价文字与工单；同级其他窗口办的是不是同样的事项。"}
	for _, l := range f.Lines {
		e.Lines = append(e.Lines, line(l))
	}
	if f.Table != nil {
		e.Look = "数字与本人、单位的记录是否相符；不符的，请写明理由提出异议。"
		e.Table = &table{Caption: "年度评价结果", First: f.Table.Heads[0], Heads: f.Table.Heads[1:]}
		for _, x := range f.Table.Rows {
			e.Table.Rows = append(e.Table.Rows, cells{Name: x[0], Cells: x[1:]})
		}
	}
	return e, nil
}
