package ratepage

import (
	"strconv"

	"haochaping/internal/central/books"
	"haochaping/internal/rating"
	"haochaping/qrcode"
)

// question is one thing that the form asks.
type question struct {
	rating.Question
	Field string // before the dot in the names of its fields, and in its ids; it tells no case
	Nth   int    // of the matters that are asked one by one, from 1; 0 for any other
	Name  string // of that matter, empty if unknown
}

// asked returns what a link's form asks of a citizen who has answered nothing. Whether the matters are asked one by one
// (也可对关联的事项分别进行评价, article 14) stands in the visit's record; until that has arrived the form asks about all at once.
func asked(c qrcode.Claim, v *rating.Visit) []question {
	var out []question
	if c.Staff {
		out = append(out, overall(rating.StaffSubject))
	}
	switch {
	case !c.Matter:
	case v == nil || !v.Separate:
		out = append(out, overall(rating.MatterSubject))
	default:
		for i, project := range v.Completed() {
			done, _ := v.Case(project)
			q := rating.Question{Subject: rating.MatterSubject, Case: project}
			out = append(out, question{q, "matter" + strconv.Itoa(i+1), i + 1, done.TaskName})
		}
	}
	return out
}

func overall(s rating.Subject) question {
	return question{Question: rating.Question{Subject: s}, Field: string(s)}
}

// accepted returns what a form that comes back may hold: it may have been opened before the visit's record arrived.
func accepted(c qrcode.Claim, v *rating.Visit) []question {
	out := asked(c, v)
	if v != nil && v.Separate && c.Matter {
		out = append(out, overall(rating.MatterSubject))
	}
	return out
}

// again returns what a form that was not taken asks when it is shown again: what it asked.
func (f form) again(c qrcode.Claim, v *rating.Visit) []question {
	if a := f.Answers[string(rating.MatterSubject)]; a.Level != 0 || a.Text != "" {
		return asked(c, nil)
	}
	return asked(c, v)
}

// open returns those of the questions for which an answer could still count.
func open(v books.VisitView, all []question) []question {
	var todo []question
	for _, q := range all {
		if _, rated := v.Rated[q.Question]; !rated {
			todo = append(todo, q)
		}
	}
	return todo
}

// zh and en ask.
func (q question) zh() string {
	switch {
	case q.Subject == rating.StaffSubject:
		return "您对工作人员的服务满意吗？"
	case q.Nth == 0:
		return "您对所办事项满意吗？"
	}
	return "您对" + q.titleZh() + "满意吗？"
}

func (q question) en() string {
	switch {
	case q.Subject == rating.StaffSubject:
		return "How satisfied are you with the staff's service?"
	case q.Nth == 0:
		return "How satisfied are you with how it was handled?"
	}
	return "How satisfied are you with how matter " + strconv.Itoa(q.Nth) + " was handled?"
}

// titleZh and titleEn name what is rated.
func (q question) titleZh() string {
	switch {
	case q.Nth == 0:
		return q.Subject.Chinese()
	case q.Name == "":
		return "第 " + strconv.Itoa(q.Nth) + " 个事项"
	}
	return "“" + q.Name + "”"
}

func (q question) titleEn() string {
	switch {
	case q.Subject == rating.StaffSubject:
		return "the staff's service"
	case q.Nth == 0:
		return "the matter handled"
	}
	return "matter " + strconv.Itoa(q.Nth)
}
