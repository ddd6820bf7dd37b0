mod damage;
mod limits;
mod net;
mod pure;
mod refresh;
mod sync;
mod vectors;
mod walk;
