package corruption

var producerOperators []Operator
