// Package list is a doubly linked list whose elements lie in what they link, so that nothing is allocated, and whatever is in a list can leave it
// from anywhere. It knows nothing of what it links, and promises to notice an element that is put into two lists.
//
//	type call struct { …; in list.Elem[call] }        Elem knows its owner once it is Pushed
package list
