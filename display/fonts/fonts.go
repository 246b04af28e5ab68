// Package fonts holds the built-in fonts, subsets of Noto Sans SC and Noto Serif Tibetan (subset.sh), under the licence OFL.txt.
package fonts

import _ "embed"

//go:embed NotoSansSC-Medium-subset.otf
var han []byte

//go:embed NotoSerifTibetan-subset.ttf
var tibetan []byte

// Han returns the font for Latin and for the 8,105 general standard Chinese characters. It must not be changed.
func Han() []byte { return han }

// Tibetan returns the font for Tibetan. It must not be changed.
func Tibetan() []byte { return tibetan }
