//! processor
fn main(){}
