//go:build !race

package display

import (
	"fmt"
	"image"
	"strings"
	"testing"

	"haochaping/internal/rating"
)

// TestWordsStayInTheirPlace lays out every screen with every length of names at every size, and looks for words outside
// their box or too small, boxes outside the screen, and boxes on top of each other.
func TestWordsStayInTheirPlace(t *testing.T) {
	r := renderer(t)
	long := strings.Repeat("甘肃省市民中心政务服务综合受理", 8)
	for name, s := range screens(t) {
		for _, words := range []string{"", long, strings.Repeat("ཞབས་ཞུ་", 20), "Unterschriftsbeglaubigungsverfahren Notariatsangelegenheiten"} {
			if words != "" && s.State != Starting && s.State != Enrolling {
				s.Hall, s.Window, s.StaffName, s.Department = words, words, words, words
				s.Matter, s.Problem = words, words
				s.Offline = true
			}
			for _, size := range append(sizes, oddSizes...) {
				t.Run(fmt.Sprintf("%s/%v/%d", name, size, len([]rune(words))), func(t *testing.T) {
					l, err := r.arrange(s, size)
					if err != nil {
						t.Fatal(err)
					}
					checkLayout(t, l)
				})
			}
		}
	}
}

// TestEveryScreenSaysWhatMatters looks for the words that must be on a screen whole, whatever its size.
func TestEveryScreenSaysWhatMatters(t *testing.T) {
	r := renderer(t)
	for name, want := range map[string][]string{
		"asking":       {"请您对本次服务进行评价", "工号 0417", "扫码用手机评价", "非常满意", "不满意", "Very satisfied", "Very dissatisfied"},
		"asking-long":  {"请您对所办事项进行评价", longMatter, "王鑫琪  工号 0417"},
		"test-picture": {"测试画面", "综合受理12号窗口", "v1.2.3", "按任意键结束", "非常满意", "非常不满意"},
		"let-go":       {"请松开按键，稍等两秒再按", "Let go, wait 2 s, press again", "请您对本次服务进行评价", "工号 0417"},
		"asking-again": {"请只按一个键", "Please press one key only"},
		"thanks":       {"已记录，感谢您的评价", "按错了？现在按其他键即可更正"},
		"fault":        {"按键暂停使用", "请扫描二维码，用手机评价"},
		"enrolling":    {"lz-0417", "3F2A 90C1 77DE 0B54"},
		"waiting":      {"BKTN WXRD", "0417", "管理员扫码登记"},
	} {
		for _, size := range append(sizes, oddSizes...) {
			l, err := r.arrange(screens(t)[name], size)
			if err != nil {
				t.Fatal(err)
			}
			var all strings.Builder
			for _, x := range l.texts {
				for _, line := range x.lines {
					all.WriteString(line.shown())
				}
				all.WriteString("|")
			}
			said := strings.ReplaceAll(all.String(), " ", "")
			for _, w := range want {
				if !strings.Contains(said, strings.ReplaceAll(w, " ", "")) {
					t.Errorf("%s at %v does not say %q but %s", name, size, w, said)
				}
			}
		}
	}
}

// TestALongMatterIsNeverLeftOut asks about matters up to the longest that a record may have: what is asked about stands there with its
// end, and so does the question, also beside a photo and where two keys were pressed together.
func TestALongMatterIsNeverLeftOut(t *testing.T) {
	r := renderer(t)
	for _, words := range []string{"办理", "Rechtsmittel", "a ", "བོད་ཡིག་"} {
		for _, n := range []int{100, rating.MaxName} {
			s := screens(t)["asking-long"]
			matter := []rune(strings.Repeat(words, n))[:n-4]
			s.Matter = string(matter) + "（转入）"
			for _, size := range []image.Point{{320, 480}, {480, 320}, {480, 800}, {1280, 400}, {1080, 1920}} {
				for _, with := range []func(s *Screen){
					func(s *Screen) { s.Photo = nil },
					func(s *Screen) { s.AskAgain = true },
				} {
					s := s
					with(&s)
					l, err := r.arrange(s, size)
					if err != nil {
						t.Fatal(err)
					}
					checkLayout(t, l)
					var said []string
					for _, x := range l.texts {
						said = append(said, strings.Join(linesOf(x.paragraph), ""))
					}
					all := strings.Join(said, "|")
					if !strings.Contains(all, "（转入）") || !strings.Contains(all, "请您对所办事项进行评价") || s.AskAgain && !strings.Contains(all, "请只按一个键") {
						t.Errorf("%d characters of %q at %v, asked again %v: %s", n, words, size, s.AskAgain, all)
					}
				}
			}
		}
	}
}

// TestTheNumberKeepsItsLabel writes names, numbers and departments that are too long for the line in which they stand: who serves is
// known by a number that says what it is.
func TestTheNumberKeepsItsLabel(t *testing.T) {
	r := renderer(t)
	long := strings.Repeat("Wolfeschlegelsteinhausenbergerdorff", 2)
	for name, change := range map[string]func(s *Screen){
		"a long name":        func(s *Screen) { s.StaffName = long },
		"a long name of Han": func(s *Screen) { s.StaffName = strings.Repeat("阿依古丽买买提", 6) },
		"from the right":     func(s *Screen) { s.StaffName = "ئابلىز قادىر ئابدۇرېھىم" },
		"a long department":  func(s *Screen) { s.StaffName, s.Department = "王丽", long },
		"both":               func(s *Screen) { s.StaffName, s.Department = long, long },
		"a long number":      func(s *Screen) { s.StaffName, s.StaffID = "王丽", strings.Repeat("0417", 10) },
	} {
		for _, size := range append(sizes, oddSizes...) {
			s := screens(t)["asking"]
			change(&s)
			l, err := r.arrange(s, size)
			if err != nil {
				t.Fatal(err)
			}
			checkLayout(t, l)
			said := ""
			for _, x := range l.texts {
				if x.on == band {
					said += strings.Join(linesOf(x.paragraph), "") + "|"
				}
			}
			if !strings.Contains(said, "工号 0417") || s.StaffName == "王丽" && !strings.Contains(said, "王丽  工号") {
				t.Errorf("%s at %v: the header says %s", name, size, said)
			}
		}
	}
}

// TestTheQuestionStandsOut compares the question with the other words beside the code and the keys.
func TestTheQuestionStandsOut(t *testing.T) {
	r := renderer(t)
	for name, s := range screens(t) {
		for _, size := range append(sizes, oddSizes...) {
			l, err := r.arrange(s, size)
			if err != nil {
				t.Fatal(err)
			}
			question := 0
			for _, x := range l.texts {
				if strings.HasPrefix(x.s, "请您对") {
					question = x.size
				}
			}
			for _, x := range l.texts {
				if s.State == Asking && x.on == paper && x.size > question && !strings.HasPrefix(x.s, "请您对") {
					t.Errorf("%s at %v: %q has %d pixels, the question %d", name, size, x.s, x.size, question)
				}
			}
		}
	}
}

// shown returns the characters of a line.
func (l setLine) shown() string {
	var b strings.Builder
	for _, r := range l.runs {
		b.WriteString(string(l.text[r.Runes.Offset : r.Runes.Offset+r.Runes.Count]))
	}
	return b.String()
}

// TestTheMarkMovesNothing compares a screen with and without the connection.
func TestTheMarkMovesNothing(t *testing.T) {
	r := renderer(t)
	for name, s := range screens(t) {
		for _, size := range sizes {
			s.Offline, s.StuckKey = false, false
			on, err := r.arrange(s, size)
			if err != nil {
				t.Fatal(err)
			}
			a := render(t, r, s, size)
			s.Offline = true
			off, err := r.arrange(s, size)
			if err != nil {
				t.Fatal(err)
			}
			b := render(t, r, s, size)
			fill(b, off.mark, band)
			if n := different(a, b); n > 0 || !on.mark.Empty() || off.mark.Empty() != (s.State == TestPicture) { // which has no header
				t.Errorf("%s at %v: %d pixels beside the mark have changed", name, size, n)
			}
		}
	}
}

// TestTheWordAboutAKeyMovesNothing compares each screen that asks with and without it, and looks for anything beside its field that has
// moved, and for a screen that does not ask and says it.
func TestTheWordAboutAKeyMovesNothing(t *testing.T) {
	r := renderer(t)
	for name, s := range screens(t) {
		for _, size := range sizesOf(name) {
			s.LetGo = false
			a := render(t, r, s, size)
			s.LetGo = true
			said, err := r.arrange(s, size)
			if err != nil {
				t.Fatal(err)
			}
			b := render(t, r, s, size)
			fill(a, said.letGo, band)
			fill(b, said.letGo, band)
			if n := different(a, b); n > 0 || said.letGo.Empty() != (s.State != Asking) {
				t.Errorf("%s at %v: %d pixels beside the word have changed; it stands at %v", name, size, n, said.letGo)
			}
		}
	}
}
