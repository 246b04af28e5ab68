package evaluations

import (
	"slices"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

// word is a code in Chinese.
type word struct{ Code, Chinese string }

func channelWords() (all []word) {
	for _, c := range append([]rating.Channel{rating.Keypad, rating.Phone}, rating.Channels()...) {
		all = append(all, word{string(c), c.Chinese()})
	}
	return all
}

func statusWords() []word {
	return []word{{string(rating.Counted), "计入"}, {string(rating.Replaced), "被更正"}, {string(rating.Later), "已有在先"},
		{string(rating.Unasked), "未办结，不计"},
		{string(rating.Late), "逾期，不计"}, {string(rating.Crowded), "过多，不计"}, {string(rating.NotAdopted), "复核不予采纳，不计"}}
}

func openerWords() []word {
	return []word{{string(rating.OpenedByPC), "业务系统发起"}, {string(rating.OpenedByStaffKey), "工作人员发起"},
		{string(rating.OpenedByWalkUp), "窗口常开，未关联办件"}}
}

func outcomeWords() []word {
	return []word{{string(rating.Rated), "已评价"}, {string(rating.RatedByPhone), "已用手机评价"}, {string(rating.TimedOut), "未评价，超时"},
		{string(rating.Cancelled), "已取消"},
		{string(rating.Superseded), "被下一次服务取代"}, {string(rating.Interrupted), "评价器断电或重启而中断"}}
}

func applicantWords() []word {
	return []word{{string(rating.NaturalPerson), "自然人"}, {string(rating.Enterprise), "企业法人"}, {string(rating.Institution), "事业法人"},
		{string(rating.Association), "社会组织法人"},
		{string(rating.Unincorporated), "非法人企业"}, {string(rating.Authority), "行政机关"}, {string(rating.OtherApplicant), "其他组织"}}
}

func caseWords() []word {
	return []word{{string(books.CaseOpen), "尚未办结"}, {string(books.CaseCompleted), "已办结，待评价"}, {string(books.CaseRated), "已评价"},
		{string(books.CaseDefault), "逾期未评，默认基本满意"}, {string(books.CaseRefused), "评价未予采纳，可再评价"}}
}

func handlingWords() []word {
	return []word{{string(rating.InHall), "窗口办理"}, {string(rating.Online), "全程网上办理"}, {string(rating.Mixed), "线上线下相结合"}}
}

func suretyWords() []word {
	return []word{{string(rating.Reported), "业务系统报送"}, {string(rating.ByVisit), "窗口办理时评价器的时钟"}, {string(rating.Received), "中心收到窗口记录的时间"}}
}

// in returns a code's word, the code itself if there is none.
func in(all []word, code string) string {
	if i := slices.IndexFunc(all, func(w word) bool { return w.Code == code }); i >= 0 {
		return all[i].Chinese
	}
	return code
}

// qualityWords says how sure a time is.
func qualityWords(q rating.Quality) string {
	switch q {
	case rating.TimeSet:
		return "评价器时钟已校准"
	case rating.TimeCorrected:
		return "评价器当时未校时，事后由同次开机的准确时刻推得"
	case rating.TimeEstimated:
		return "评价器当时未校时，只知范围"
	}
	return string(q)
}

func clock(t time.Time) string {
	if t.IsZero() || t.UnixMilli() <= 0 {
		return ""
	}
	return t.In(web.Zone()).Format("2006-01-02 15:04:05")
}
