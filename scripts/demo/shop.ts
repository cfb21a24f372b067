/** The tables of a small shop. Types that are easily got wrong on the way: money, times, enumerations, text beyond the BMP. */
export const SHOP_TABLES: readonly string[] = [
  `CREATE TABLE customers (
    id INT UNSIGNED PRIMARY KEY,
    name VARCHAR(80) NOT NULL,
    about TEXT,
    joined DATETIME(3) NOT NULL
  ) DEFAULT CHARSET = utf8mb4`,
  `CREATE TABLE products (
    sku CHAR(8) PRIMARY KEY,
    title VARCHAR(80) NOT NULL,
    price DECIMAL(10,2) NOT NULL,
    stock INT NOT NULL
  ) DEFAULT CHARSET = utf8mb4`,
  `CREATE TABLE orders (
    id INT UNSIGNED PRIMARY KEY,
    customer INT UNSIGNED NOT NULL,
    status ENUM('new', 'paid', 'shipped') NOT NULL,
    total DECIMAL(12,2) NOT NULL,
    placed DATETIME(6) NOT NULL,
    note TEXT
  ) DEFAULT CHARSET = utf8mb4`,
  `CREATE TABLE order_lines (
    order_id INT UNSIGNED,
    line TINYINT UNSIGNED,
    sku CHAR(8) NOT NULL,
    quantity SMALLINT UNSIGNED NOT NULL,
    price DECIMAL(10,2) NOT NULL,
    PRIMARY KEY (order_id, line)
  ) DEFAULT CHARSET = utf8mb4`,
];

/** Has no key: a row that were written twice would be there twice, and one that were lost would be missing. */
export const TILL = 'till';

/**
 * Comes in the middle of the load: from then on rows of `orders` have one column more, and not at their end; and each order has a row in the till.
 */
export const SHOP_MIGRATION: readonly string[] = [
  "ALTER TABLE orders MODIFY status ENUM('new', 'paid', 'shipped', 'returned') NOT NULL, " +
    "ADD COLUMN channel ENUM('web', 'phone', 'market') AFTER customer",
  `CREATE TABLE ${TILL} (
    rung DATETIME(6) NOT NULL,
    order_id INT UNSIGNED NOT NULL,
    amount DECIMAL(12,2) NOT NULL
  ) DEFAULT CHARSET = utf8mb4`,
];

/** Those that have a key. */
export const SHOP_TABLE_NAMES: readonly string[] = ['customers', 'products', 'orders', 'order_lines'];

export const FIRST_NAMES: readonly string[] = [
  'Ada',
  'Björn',
  'Chloé',
  'Dmitri',
  'Élise',
  'Fatima',
  'Grace',
  'Håkon',
  'Inés',
  '志明',
];
export const LAST_NAMES: readonly string[] = [
  'Lovelace',
  "O'Neill",
  'Nuñez',
  'Śliwa',
  'Müller',
  'Иванова',
  'Okafor',
  '山田',
  'Öztürk',
  'Smith',
];
export const GOODS: readonly string[] = [
  'Teapot',
  'Lamp',
  'Clock',
  'Radio',
  'Kettle',
  'Chair',
  'Blanket',
  'Compass',
  'Globe',
  'Umbrella',
];
export const COLOURS: readonly string[] = [
  'blue',
  'crimson',
  'green',
  'ivory',
  'black',
  'amber',
  'grey',
  'white',
  'violet',
  'teal',
];
export const NOTES: readonly (string | null)[] = [
  null,
  null,
  'Leave it with the neighbours, please',
  'A present 🎁: no bill in the parcel!',
  'Très urgent — merci 🙏',
  'It\'s for O\'Neill; "ring twice"\nsecond floor',
  '急ぎでお願いします 🚚',
];
