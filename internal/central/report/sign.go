package report

import "math"

// Sign is something about a window that people should look at (articles 4 and 21). It proves nothing.
type Sign struct {
	Code    string
	Chinese string
	Rule    string // by which it is raised
	Else    string // what else may be behind it
	Look    string // what to look at
	// Raised reports whether the rule holds for a window among the others of its hall, and by how many.
	Raised func(window, others Amount) bool
}

// rare is how improbable a sign is at a window that is like its neighbours.
const rare = 0.001

// NoBad reports that nobody has rated a window badly where neighbours were: had it as many bad answers as they have at least (the lower end of their
// interval), so many good ones in a row would be rarer than one in a thousand.
func NoBad(window, others Amount) bool {
	b, n := bad(Input{Amount: others}), others.Answered()
	if n < LeastRanked || window.Answered() < LeastRanked || bad(Input{Amount: window}) > 0 {
		return false
	}
	return math.Pow(1-Wilson(b, n).Low/100, float64(window.Answered())) < rare
}

// FewAnswer reports that of those who are asked at a window surely less than half as many answer as at its neighbours.
func FewAnswer(window, others Amount) bool {
	if window.Asked < LeastRanked || others.Asked < LeastRanked {
		return false
	}
	return Wilson(window.Answered(), window.Asked).High < Wilson(others.Answered(), others.Asked).Low/2
}

// SeldomAsked reports that surely fewer than half of a window's visits ask about the person, where more than half of its neighbours' do.
func SeldomAsked(window, others Amount) bool {
	if window.Served < LeastRanked || others.Served < LeastRanked {
		return false
	}
	return Wilson(min(window.Asked, window.Served), window.Served).High < 50 && Wilson(min(others.Asked, others.Served), others.Served).Low > 50
}

// Signs returns all signs.
func Signs() []Sign {
	return []Sign{
		{"no_bad", "一份差评也没有，同厅其他窗口有", "评价不少于 30 份、无一差评；按同厅其他窗口差评率的下限，这样的概率小于千分之一。", "窗口办的事项简单；某位工作人员确实好。", "有无替评、劝改、挑人评价：看评价的时间间隔和手机评价。", NoBad},
		{"few_answer", "参评率不到同厅其他窗口的一半", "应评不少于 30 次；参评率 95% 区间的上限低于其他窗口下限的一半。", "窗口多为批量代办；评价器被挡住、声音关了。", "有无主动提示评价（第十三条）；评价器的位置、状态和告警。", FewAnswer},
		{"seldom_asked", "多数服务没有请求评价工作人员", "服务不少于 30 次；请求评价的比例 95% 区间的上限低于一半，而其他窗口的下限高于一半。", "业务系统对该窗口只请求评价事项。", "业务系统发起评价的设置；是否有人关掉了评价。", SeldomAsked},
	}
}
