//! Names of people, departments and offices, none of them anybody's.

/// As it is written, and as an address writes it.
type Written = (&'static str, &'static str);

const GIVEN: [Written; 32] = [
    ("Zoë", "Zoe"),
    ("José", "Jose"),
    ("Mona", "Mona"),
    ("Łucja", "Lucja"),
    ("Søren", "Soren"),
    ("Jürgen", "Jurgen"),
    ("Ada", "Ada"),
    ("Renée", "Renee"),
    ("Şule", "Sule"),
    ("Bram", "Bram"),
    ("Ngọc", "Ngoc"),
    ("Tomáš", "Tomas"),
    ("Iris", "Iris"),
    ("Björk", "Bjork"),
    ("Cleo", "Cleo"),
    ("Ümit", "Umit"),
    ("Dov", "Dov"),
    ("Žofie", "Zofie"),
    ("Anaïs", "Anais"),
    ("Hugo", "Hugo"),
    ("Kōji", "Koji"),
    ("Esme", "Esme"),
    ("Íñigo", "Inigo"),
    ("Vera", "Vera"),
    ("Gül", "Gul"),
    ("Nils", "Nils"),
    ("Mátyás", "Matyas"),
    ("Orla", "Orla"),
    ("François", "Francois"),
    ("Pia", "Pia"),
    ("Wim", "Wim"),
    ("Yuki", "Yuki"),
];
const SURNAMES: [Written; 32] = [
    ("Ahornblatt", "Ahornblatt"),
    ("Ærø", "Aero"),
    ("Bächli", "Bachli"),
    ("Crane", "Crane"),
    ("Dvořáček", "Dvoracek"),
    ("Elm", "Elm"),
    ("Fjäll", "Fjall"),
    ("Grove", "Grove"),
    ("O'Heron", "OHeron"),
    ("Isle", "Isle"),
    ("Jäger", "Jager"),
    ("Kestrel", "Kestrel"),
    ("Łąka", "Laka"),
    ("Moss", "Moss"),
    ("Núñez", "Nunez"),
    ("Oakes", "Oakes"),
    ("Pinède", "Pinede"),
    ("Quail", "Quail"),
    ("Røed", "Roed"),
    ("Stone", "Stone"),
    ("Thorn", "Thorn"),
    ("Übach", "Ubach"),
    ("Vale", "Vale"),
    ("Wren", "Wren"),
    ("Xylander", "Xylander"),
    ("Yarrow", "Yarrow"),
    ("Żuraw", "Zuraw"),
    ("Ash-Brook", "Ash-Brook"),
    ("Clay", "Clay"),
    ("Dale", "Dale"),
    ("van der Frost", "vanderFrost"),
    ("Ōtani", "Otani"),
];

/// A person's name.
#[derive(Clone, Copy)]
pub(super) struct Name {
    pub(super) given: &'static str,
    pub(super) given_ascii: &'static str,
    pub(super) surname: &'static str,
    pub(super) surname_ascii: &'static str,
}

/// One of 1,024 names. Whoever is renamed gets another surname.
pub(super) fn name(number: i64, renamed: bool) -> Name {
    let number = number.rem_euclid(1024);
    let place = |number: i64| usize::try_from(number % 32).unwrap_or_default();
    let (given, given_ascii) = GIVEN[place(number / 32)];
    let (surname, surname_ascii) = SURNAMES[place(number + if renamed { 11 } else { 0 })];
    Name {
        given,
        given_ascii,
        surname,
        surname_ascii,
    }
}

impl Name {
    /// As the directory shows it, in one of 8 ways. The number keeps two people of one name apart.
    pub(super) fn shown(self, slot: u32, way: u64) -> String {
        let Self {
            given,
            given_ascii,
            surname,
            ..
        } = self;
        match way {
            0 | 1 => format!("{surname}, {given} {slot:04}"),
            2 => format!("{surname} {slot:04}, {given} (EXT)"),
            3 => format!("{given} \"{given_ascii}\" {surname} {slot:04}"),
            _ => format!("{given} {surname} {slot:04}"),
        }
    }
}

/// A department of three.
pub(super) const BOARD: &str = "Board Office";
/// A department of two.
pub(super) const COUNCIL: &str = "Works Council";

/// One of the other departments, by a number below 100: how many numbers it has, so many people.
pub(super) fn department(number: u64) -> &'static str {
    match number {
        0..=25 => "Sales",
        26..=47 => "Engineering",
        48..=61 => "Operations",
        62..=72 => "Finance",
        73..=81 => "Research & Development",
        82..=88 => "Marketing",
        89..=94 => "Human Resources",
        _ => "Café, Facilities",
    }
}

const OFFICES: [&str; 4] = ["Aarhus", "Kraków", "Lisbon", "Building 7, Floor 2"];
const TITLES: [&str; 6] = [
    "Analyst",
    "Senior Analyst",
    "Account Manager",
    "Engineer",
    "Chargé d'affaires",
    "Head of Something",
];
const COUNTRIES: [&str; 4] = ["DK", "PL", "PT", "DE"];

fn one_of<const N: usize>(from: [&'static str; N], number: u64) -> &'static str {
    usize::try_from(number).map_or("", |number| from[number % N])
}

pub(super) fn office(number: u64) -> &'static str {
    one_of(OFFICES, number)
}

pub(super) fn title(number: u64) -> &'static str {
    one_of(TITLES, number)
}

pub(super) fn country(number: u64) -> &'static str {
    one_of(COUNTRIES, number)
}
