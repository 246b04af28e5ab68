package rating

// Face is how a level looks wherever it is shown, in a square of 48 units: on a circle of radius 20 around (24, 24). The
// paths are SVG path data of the commands M, l, q, c and z with a space between all parts.
type Face struct {
	Lines  string // strokes FaceStroke wide with round ends
	Filled string // filled shapes, empty for none
	Eyes   []Eye
}

// Eye is a filled circle.
type Eye struct{ X, Y, R float64 }

// FaceStroke is the breadth of a face's lines.
const FaceStroke = 2.6

// Face returns the level's face. Each differs from its neighbours in more than the bend of its mouth, so that poor sight
// can tell them apart. An invalid level has none.
func (l Level) Face() Face {
	eyes := func(y float64) []Eye { return []Eye{{17, y, 2.2}, {31, y, 2.2}} }
	switch l {
	case VerySatisfied: // laughs with its eyes shut
		return Face{Lines: "M 14 20 q 3 -4 6 0 M 28 20 q 3 -4 6 0", Filled: "M 13 27 l 22 0 c -1 8 -6 11 -11 11 c -5 0 -10 -3 -11 -11 z"}
	case Satisfied: // smiles broadly
		return Face{Lines: "M 14 28 c 4 8 16 8 20 0", Eyes: eyes(19)}
	case FairlySatisfied: // hardly smiles
		return Face{Lines: "M 16 31 c 5 1.5 11 1.5 16 0", Eyes: eyes(19)}
	case Dissatisfied: // the corners of its mouth hang
		return Face{Lines: "M 15 34 c 4 -6 14 -6 18 0", Eyes: eyes(20)}
	case VeryDissatisfied: // frowns
		return Face{Lines: "M 13 15 l 7 4 M 35 15 l -7 4 M 14 36 c 3 -9 17 -9 20 0", Eyes: eyes(22)}
	}
	return Face{}
}
